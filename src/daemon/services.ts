/** What the front desk needs of the rooms behind it. The rooms' classes are these; tests of the wire have small ones. */

import type { Duplex } from "node:stream";
import type { ImageDeleteItem, ImageHistoryItem, ProgressLine } from "../api/answers/images.ts";
import type { Platform } from "../api/platforms.ts";
import type { Database } from "../base/database.ts";
import type { ContainerId, DiffId, ExecId, ImageId } from "../base/ids.ts";
import type { Builds } from "../build/builds.ts";
import type { AttachRequest } from "../container/attach.ts";
import type { CommitRequest } from "../container/commits.ts";
import type { PathStat, PutOptions } from "../container/copies.ts";
import type { ContainerEvent } from "../container/events.ts";
import type { LogOptions } from "../container/logs.ts";
import type { Change } from "../container/own-files.ts";
import type { ContainerRecord } from "../container/record.ts";
import type { CreateRequest, ExecRequest } from "../container/request.ts";
import type { LogDefaults } from "../container/request-log.ts";
import type { Runtimes } from "../container/runtimes.ts";
import { type ExecState, isUp } from "../container/state.ts";
import type { UpdateRequest } from "../container/update.ts";
import type { ContainerUsage } from "../container/usage.ts";
import type { WaitCondition, WaitResult } from "../container/waiters.ts";
import type { StackLayer } from "../image/layers.ts";
import type { ImageEvent, ImageRecord, ImageUser } from "../image/record.ts";
import type { HostFacts } from "../kernel/facts.ts";
import type { Plan } from "../kernel/steps.ts";
import type { NetworkRequest } from "../network/create.ts";
import type { Attachment } from "../network/endpoint.ts";
import type { AddressPool } from "../network/pools.ts";
import type { NetworkRecord } from "../network/record.ts";
import type { Credentials } from "../registry/credentials.ts";
import type { Registries } from "../registry/registry.ts";
import type { VolumeRecord, VolumeRequest } from "../volume/record.ts";
import type { BuildKitDesk } from "./buildkit/desk.ts";
import type { DiskPlaces } from "./disk-places.ts";
import type { EventLog } from "./events.ts";
import type { Log } from "./log.ts";

export interface StopOptions {
  readonly signal?: string;
  /** Seconds; -1: for ever. */
  readonly timeout?: number;
}

export interface ExecView {
  readonly id: ExecId;
  readonly container: ContainerId;
  readonly request: ExecRequest;
  readonly state: ExecState;
}

export interface ExecStartOptions {
  readonly detach: boolean;
  readonly tty: boolean;
  readonly rows?: number;
  readonly columns?: number;
}

export interface ContainerService {
  create(request: CreateRequest, name: string | undefined): Promise<{ id: ContainerId; warnings: string[] }>;
  explain(request: CreateRequest): Promise<Plan>;
  start(reference: string): Promise<"started" | "already">;
  stop(reference: string, options: StopOptions): Promise<"stopped" | "already">;
  restart(reference: string, options: StopOptions): Promise<void>;
  kill(reference: string, signal: string): Promise<void>;
  pause(reference: string): Promise<void>;
  unpause(reference: string): Promise<void>;
  /** Answers warnings. */
  update(reference: string, request: UpdateRequest): Promise<readonly string[]>;
  wait(reference: string, condition: WaitCondition, signal: AbortSignal): Promise<WaitResult>;
  remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  /** The link of this name, `web/store`, is taken away. */
  unlink(reference: string): Promise<void>;
  rename(reference: string, name: string): Promise<void>;
  resize(reference: string, rows: number, columns: number): Promise<void>;
  get(reference: string): ContainerRecord;
  list(): readonly ContainerRecord[];
  /** Bytes: what each of them has written, and that together with its image. */
  sizes(records: readonly ContainerRecord[]): Promise<readonly { readonly written: number; readonly whole: number }[]>;
  /** Undefined while it does not run. */
  usage(reference: string): Promise<ContainerUsage | undefined>;
  processes(reference: string, psArgs: string): Promise<{ Titles: readonly string[]; Processes: readonly string[][] }>;
  /** Throws at once what is wrong with the request; resolves when the stream is over. */
  attach(
    reference: string,
    request: AttachRequest & { readonly logs: boolean; readonly stream: boolean },
    client: Duplex,
  ): Promise<void>;
  /** Holds afterwards: nothing of what was asked for is lost when the container is removed. */
  logs(
    reference: string,
    options: Omit<LogOptions, "raw" | "ended">,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>>;
  createExec(reference: string, request: ExecRequest): Promise<ExecId>;
  startExec(id: string, options: ExecStartOptions, client: Duplex | undefined): Promise<void>;
  resizeExec(id: string, rows: number, columns: number): Promise<void>;
  getExec(id: string): ExecView;
  execsOf(id: ContainerId): readonly ExecId[];
  readonly copies: CopyService;
  readonly commits: CommitService;
  /** The containers that have a volume of this name. */
  volumeUsers(name: string): readonly string[];
  onEvent(listener: (event: ContainerEvent) => void): () => void;
}

export interface CopyService {
  stat(reference: string, path: string): Promise<PathStat>;
  read(
    reference: string,
    path: string,
  ): Promise<{ readonly stat: PathStat; readonly archive: AsyncIterable<Uint8Array> }>;
  write(reference: string, path: string, archive: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void>;
  export(reference: string): Promise<AsyncIterable<Uint8Array>>;
}

export interface CommitService {
  changes(reference: string): Promise<readonly Change[]>;
  commit(reference: string, request: CommitRequest): Promise<ImageId>;
}

export interface ImageService {
  load(
    source: AsyncIterable<Uint8Array>,
    options: {
      readonly signal?: AbortSignal;
      readonly progress?: (line: ProgressLine) => void;
      readonly platform?: Platform;
    },
  ): Promise<unknown>;
  importRoot(
    source: AsyncIterable<Uint8Array>,
    options: {
      readonly name?: string;
      readonly message?: string;
      readonly changes?: readonly string[];
      readonly architecture?: string;
      readonly variant?: string;
      readonly signal?: AbortSignal;
    },
  ): Promise<ImageId>;
  find(reference: string): ImageRecord | undefined;
  get(reference: string): ImageRecord;
  list(): readonly ImageRecord[];
  /** Bytes on the disk. */
  layerSize(layer: DiffId): number;
  history(reference: string): readonly ImageHistoryItem[];
  check(
    signal?: AbortSignal,
  ): AsyncIterable<{ readonly kind: string; readonly digest: string; readonly reason: string }>;
  stack(layers: readonly DiffId[]): readonly StackLayer[];
  diskUse(layers: Iterable<DiffId>): Promise<ReadonlyMap<DiffId, number>>;
  diskSize(): number;
  forPlatform(reference: string, platform: Platform | undefined): Promise<ImageRecord>;
  save(
    references: readonly string[],
    options: { readonly platform?: Platform; readonly allPlatforms?: boolean },
  ): Promise<AsyncIterable<Uint8Array>>;
  tag(source: string, target: string): void;
  remove(
    reference: string,
    options: { readonly force: boolean; usedBy(id: ImageId): readonly ImageUser[] },
  ): readonly ImageDeleteItem[];
  removePlatforms(
    reference: string,
    platforms: readonly Platform[],
    options: { readonly force: boolean; usedBy(id: ImageId): readonly ImageUser[] },
  ): Promise<readonly ImageDeleteItem[]>;
  collect(usedBy: (id: ImageId) => readonly ImageUser[]): void;
  onEvent(listener: (event: ImageEvent) => void): () => void;
}

export interface PullService {
  pull(
    reference: string,
    options: {
      readonly platform?: Platform;
      readonly allTags?: boolean;
      readonly allPlatforms?: boolean;
      readonly credentials?: Credentials | undefined;
      readonly signal?: AbortSignal;
      readonly progress?: (line: ProgressLine) => void;
    },
  ): Promise<unknown>;
  prune(): Promise<number>;
}

export interface PushService {
  push(
    reference: string,
    options: {
      readonly platform?: Platform;
      readonly allPlatforms?: boolean;
      readonly credentials?: Credentials | undefined;
      readonly signal?: AbortSignal;
      readonly progress?: (line: ProgressLine) => void;
    },
  ): Promise<void>;
}

export interface NetworkService {
  find(name: string): NetworkRecord | undefined;
  list(): readonly NetworkRecord[];
}

export interface VolumeService {
  find(name: string): VolumeRecord | undefined;
  get(name: string): VolumeRecord;
  list(): readonly VolumeRecord[];
  mountpoint(name: string): string;
  create(request: VolumeRequest): Promise<{ readonly record: VolumeRecord }>;
  remove(name: string, usedBy: (name: string) => readonly string[]): Promise<void>;
  sizes(names: readonly string[]): Promise<readonly number[]>;
}

export type BuildService = Pick<Builds, "build" | "cache" | "explain" | "prune" | "tell">;

export interface MembershipService {
  create(request: NetworkRequest): Promise<NetworkRecord>;
  remove(reference: string): Promise<NetworkRecord>;
  connect(attachment: Attachment, container: string): Promise<void>;
  disconnect(network: string, container: string): Promise<void>;
}

export interface Services {
  readonly containers: ContainerService;
  readonly images: ImageService;
  readonly database: Pick<Database, "problem">;
  readonly pulls: PullService;
  readonly pushes: PushService;
  readonly registries: Registries;
  readonly networks: NetworkService;
  readonly memberships: MembershipService;
  readonly volumes: VolumeService;
  readonly builds: BuildService;
  readonly buildkit: BuildKitDesk;
  readonly host: HostFacts;
  /** For containers that say nothing of their log. */
  readonly logDefaults?: LogDefaults;
  /** Where new networks get their subnets; absent: from Docker's own pools. */
  readonly addressPools?: readonly AddressPool[];
  readonly runtimes: Runtimes;
  readonly events: EventLog;
  readonly log: Log;
  /** What lies beneath the root, as `du` counts it. */
  diskPlaces(): Promise<DiskPlaces>;
  /** What survives the machine: `/var/lib/pier`; and what does not: `/run/pier`. */
  readonly root: string;
  readonly run: string;
  /** 64 hexadecimal digits: this daemon's root, whoever serves it. */
  readonly id: string;
}

/** The containers that were made from an image. */
export const imageUsers =
  (containers: Pick<ContainerService, "list">) =>
  (id: ImageId): readonly ImageUser[] =>
    containers
      .list()
      .filter(({ image }) => image.id === id)
      .map((record) => ({ id: record.id, running: isUp(record.state) }));
