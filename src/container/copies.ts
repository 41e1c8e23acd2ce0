/** Files go into containers and come out of them, whether they run or not. */
import { posix } from "node:path";
import type { Locks } from "../base/lock.ts";
import { decompress } from "../format/compression.ts";
import { readTar } from "../format/tar/read.ts";
import { writeTar } from "../format/tar/write.ts";
import { feedErrand, runErrand, tellErrand } from "../kernel/errand.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { decodeStat, decodeTree } from "../kernel/tree-stream.ts";
import { archiveEntries, putRecords } from "./archive.ts";
import { containerError } from "./errors.ts";
import type { ContainerEvents } from "./events.ts";
import { isStepFailure } from "./failure.ts";
import type { Launcher } from "./launch.ts";
import { containerPaths, rootMountpoint } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { CreateRequest } from "./request.ts";
import type { ContainerRooms } from "./rooms.ts";
import type { Runs } from "./runs.ts";
import { placesOfRoot, planChange, planLook, planVisitOfRunning } from "./visit-plan.ts";
import { visitVolumes } from "./volumes.ts";

/** What is at a path of a container. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** As stat(2) has it. */
  readonly mode: number;
  readonly mtime: { readonly seconds: bigint; readonly nanoseconds: number };
  /** Where a link leads to, as far as it leads; "" for all else. */
  readonly linkTarget: string;
}

export interface PutOptions {
  /** A directory and what is none do not stand in for each other. */
  readonly keepsKinds: boolean;
  /** Everything belongs to the container's user; else to whom the archive says. */
  readonly asUser: boolean;
}

interface CopyContext {
  readonly rooms: ContainerRooms;
  readonly launcher: Launcher;
  readonly runs: Runs;
  readonly locks: Locks;
  readonly events: ContainerEvents;
  found(reference: string): Promise<ContainerRecord>;
}

const asSent = 2n ** 64n - 1n;
const missing: readonly number[] = [errnos.ENOENT.number, errnos.ENOTDIR.number, errnos.ELOOP.number];

export class Copies {
  readonly #context: CopyContext;

  constructor(context: CopyContext) {
    this.#context = context;
  }

  /** What is at a path of the container. */
  async stat(reference: string, path: string): Promise<PathStat> {
    return this.#stat(await this.#context.found(reference), path);
  }

  /** What is there, and an archive of it, in which all names begin with the path's last one. */
  async read(
    reference: string,
    path: string,
  ): Promise<{ readonly stat: PathStat; readonly archive: AsyncIterable<Uint8Array> }> {
    const record = await this.#context.found(reference);
    const stat = await this.#stat(record, path);
    const { absolute, follows, base } = parsePath(path);
    this.#context.events.emit("archive-path", record);
    const step: Step = { step: "tellPath", path: absolute, follows: follows ? 1 : 0, crosses: 1, contents: 1 };
    return { stat, archive: this.#tell(record, step, base) };
  }

  /** An archive of the container's file system, without what is mounted in it. */
  async export(reference: string): Promise<AsyncIterable<Uint8Array>> {
    const record = await this.#context.found(reference);
    this.#context.events.emit("export", record);
    return this.#tell(record, { step: "tellPath", path: "/", follows: 1, crosses: 0, contents: 1 }, "");
  }

  async #stat(record: ContainerRecord, path: string): Promise<PathStat> {
    const { absolute, follows } = parsePath(path);
    const step: Step = { step: "statPath", index: 0, path: absolute, follows: follows ? 1 : 0 };
    return this.#looking(record, [step], async (plan) => {
      const { rooms } = this.#context;
      const keeper = await runErrand(rooms.holder, rooms.run, plan).catch((cause: unknown) => {
        throw isStepFailure(cause) && missing.includes(cause.errno) ? notFound(record, path, cause) : cause;
      });
      const { link, leadsTo, ...rest } = decodeStat(keeper.bytes(0));
      const target = leadsTo === "" ? link : this.#asContainer(leadsTo);
      const isRelative = target !== "" && !target.startsWith("/");
      const linkTarget = utf8(isRelative ? posix.join(posix.dirname(absolute), target) : target);
      return { ...rest, name: posix.basename(path === "" ? "/" : path) || "/", linkTarget };
    });
  }

  async *#tell(record: ContainerRecord, step: Step, base: string): AsyncGenerator<Uint8Array> {
    const { rooms } = this.#context;
    await using look = await this.#openLook(record, [step]);
    yield* writeTar(archiveEntries(decodeTree(tellErrand(rooms.holder, rooms.run, look.plan)), base));
  }

  /** Holds afterwards: what is in the archive, whatever compresses it, is beneath the directory at the path. */
  async write(reference: string, path: string, archive: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    const record = await this.#context.found(reference);
    if (record.removing) throw containerError("removing", { name: record.name });
    const directory = await this.#findDirectory(record, path);
    checkWritable(record.request, directory);
    const user = options.asUser ? await this.#context.launcher.userOf(record) : undefined;
    const step: Step = {
      step: "putTree",
      index: 0,
      replaces: options.keepsKinds ? 0 : 1,
      uid: user?.uid ?? asSent,
      gid: user?.gid ?? asSent,
    };
    const records = putRecords(readTar(decompress(archive)), directory);
    // A container that is about to start is waited for, and one that does not run is kept from starting.
    const live = await this.#context.locks.run(record.id, async () => {
      const running = this.#context.runs.find(record.id);
      if (running === undefined) await this.#change(record, step, records);
      return running;
    });
    if (live !== undefined) await this.#feed(planVisitOfRunning(live.process, [step]), records, directory);
    this.#context.events.emit("extract-to-dir", record);
  }

  async #change(record: ContainerRecord, step: Step, records: AsyncIterable<Uint8Array>): Promise<void> {
    const { rooms, launcher } = this.#context;
    await using volumes = await visitVolumes(rooms, record);
    const place = await launcher.placeOf(record, volumes.places);
    const { directory } = containerPaths(rooms, record.id);
    await this.#feed(planChange(place, directory, [step]), records, "/");
  }

  async #feed(plan: Plan, records: AsyncIterable<Uint8Array>, directory: string): Promise<void> {
    const { rooms } = this.#context;
    const { keeper, error } = await feedErrand(rooms.holder, rooms.run, plan, records);
    if (error === undefined) return;
    const path = utf8(keeper.bytes(0).toString("latin1"));
    if (!isStepFailure(error) || path === "") throw error;
    throw putFailure(path, directory, error.errno, error);
  }

  async #findDirectory(record: ContainerRecord, path: string): Promise<string> {
    const { absolute } = parsePath(path);
    if (absolute === "/") return absolute;
    const stat = await this.#stat(record, absolute);
    const resolved = stat.linkTarget === "" ? absolute : stat.linkTarget;
    const { mode } = stat.linkTarget === "" ? stat : await this.#stat(record, resolved);
    if ((mode & 0o170000) !== 0o040000) throw containerError("notADirectory", { path });
    return Buffer.from(resolved, "utf8").toString("latin1");
  }

  async #looking<T>(record: ContainerRecord, steps: readonly Step[], use: (plan: Plan) => Promise<T>): Promise<T> {
    await using look = await this.#openLook(record, steps);
    return await use(look.plan);
  }

  /** The plan of a look at the container as it is now; to be disposed when it was run. */
  async #openLook(record: ContainerRecord, steps: readonly Step[]): Promise<AsyncDisposable & { readonly plan: Plan }> {
    const { rooms, runs, launcher } = this.#context;
    await rooms.holder.wake();
    const live = runs.find(record.id);
    if (live !== undefined) {
      return { plan: planVisitOfRunning(live.process, steps), [Symbol.asyncDispose]: async () => {} };
    }
    const volumes = await visitVolumes(rooms, record);
    try {
      const plan = planLook(await launcher.placeOf(record, volumes.places), steps);
      return { plan, [Symbol.asyncDispose]: () => volumes[Symbol.asyncDispose]() };
    } catch (error) {
      await volumes[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A path as the kernel told it to a visitor, seen from the container's root. */
  #asContainer(path: string): string {
    const places = placesOfRoot({ mountpoint: rootMountpoint(this.#context.rooms.run) });
    const place = places.find((one) => path === one || path.startsWith(`${one}/`));
    return place === undefined ? path : path.slice(place.length) || "/";
  }
}

const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");

/** A path with a slash or a dot at its end is that of a directory, also behind a link. */
const parsePath = (path: string): { readonly absolute: string; readonly follows: boolean; readonly base: string } => {
  if (path === "") throw containerError("noArchivePath", {});
  if (path.includes("\0")) throw containerError("nulByte", {});
  const normal = posix.normalize(`/${path}`);
  const absolute = normal.replace(/(?<=.)\/+$/, "");
  const base = /(^|\/)\.$/.test(path) ? "." : posix.basename(absolute) || "/";
  const name = Buffer.from(base === "/" ? "" : base, "utf8").toString("latin1");
  return { absolute, follows: absolute === "/" || /\/\.?$/.test(path), base: name };
};

const notFound = ({ name }: ContainerRecord, path: string, cause: unknown) =>
  containerError("noSuchFile", { path, name }, cause);

const putFailure = (path: string, directory: string, errno: number, cause: unknown) => {
  if (errno === errnos.EISDIR.number) return containerError("directoryKept", { path, directory }, cause);
  if (errno === errnos.ENOTDIR.number) return containerError("fileKept", { path, directory }, cause);
  if (errno === errnos.EROFS.number) return containerError("rootReadonly", {}, cause);
  return containerError("putFailed", { path, reason: errnoMessage(errno) }, cause);
};

/** What is read-only for the container's programs is so for whoever copies into it. */
const checkWritable = (request: CreateRequest, directory: string): void => {
  const above = request.mounts
    .filter(({ target }) => directory === target || directory.startsWith(`${target}/`))
    .sort((a, b) => b.target.length - a.target.length)[0];
  if (above === undefined) {
    if (request.readonlyRootfs) throw containerError("rootReadonly", {});
  } else if (above.kind !== "tmpfs" && above.readonly) throw containerError("volumeReadonly", {});
};
