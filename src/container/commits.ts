/** What a container has written becomes a layer: listed for `diff`, stored as an image for `commit`. */
import type { ImageId } from "../base/ids.ts";
import type { Locks } from "../base/lock.ts";
import { writeTar } from "../format/tar/write.ts";
import type { ImageConfig } from "../image/config.ts";
import { Tree } from "../image/tree.ts";
import { tellErrand } from "../kernel/errand.ts";
import { noSlot, type Plan } from "../kernel/steps.ts";
import { decodeTree } from "../kernel/tree-stream.ts";
import { containerError } from "./errors.ts";
import type { ContainerEvents } from "./events.ts";
import { existingUpper } from "./launch.ts";
import { type Change, listChanges, type OwnEntry, ownEntries } from "./own-files.ts";
import type { Pauses } from "./pauses.ts";
import type { ContainerRecord } from "./record.ts";
import type { CreateRequest } from "./request.ts";
import type { ContainerRooms } from "./rooms.ts";
import type { Runs } from "./runs.ts";
import { wordOf } from "./state.ts";
import { layerEntries } from "./upper.ts";

export interface CommitRequest {
  /** What is asked for of the image's configuration; the rest is the container's. */
  readonly config: Partial<CreateRequest>;
  readonly changes: readonly string[];
  readonly name?: string;
  readonly author: string;
  readonly comment: string;
  /** The container stands still meanwhile. */
  readonly pause: boolean;
}

interface CommitContext {
  readonly rooms: ContainerRooms;
  readonly runs: Runs;
  readonly pauses: Pauses;
  readonly locks: Locks;
  readonly events: ContainerEvents;
  found(reference: string): Promise<ContainerRecord>;
}

export class Commits {
  readonly #context: CommitContext;

  constructor(context: CommitContext) {
    this.#context = context;
  }

  /** Every path that differs from the image's, in order. */
  async changes(reference: string): Promise<readonly Change[]> {
    const record = await this.#context.found(reference);
    return listChanges(this.#read(record, false));
  }

  /** Holds afterwards: the image is stored, and has on top of the container's image what the container has written. */
  async commit(reference: string, request: CommitRequest): Promise<ImageId> {
    const record = await this.#context.found(reference);
    if (record.removing) throw containerError("removing", { name: record.name });
    const { locks, runs, events } = this.#context;
    // One that does not run is kept from starting; one that runs stands still, unless that is not wanted.
    const early = await locks.run(record.id, async () =>
      runs.find(record.id) === undefined ? this.#store(record, request) : undefined,
    );
    const id = early ?? (await this.#standingStill(record, request.pause, () => this.#store(record, request)));
    events.emit("commit", record, { comment: request.comment, imageID: id, imageRef: request.name ?? "" });
    return id;
  }

  async #standingStill<T>(record: ContainerRecord, pause: boolean, work: () => Promise<T>): Promise<T> {
    const { pauses } = this.#context;
    if (!pause || wordOf(record.state) === "paused") return work();
    await pauses.pause(record, "for a while");
    try {
      return await work();
    } finally {
      await pauses.wake(record);
    }
  }

  #store(record: ContainerRecord, request: CommitRequest): Promise<ImageId> {
    const { images } = this.#context.rooms;
    const told = async function* (entries: AsyncIterable<OwnEntry>) {
      for await (const { entry } of entries) yield entry;
    };
    const { name } = request;
    return images.commit(writeTar(layerEntries(told(this.#read(record, true)))), {
      parent: images.withId(record.image.id),
      config: imageConfigOf({ ...record.request, ...request.config }),
      changes: request.changes,
      ...(name === undefined ? {} : { name }),
      author: request.author,
      comment: request.comment,
      createdBy: record.command.join(" "),
    });
  }

  async *#read(record: ContainerRecord, contents: boolean): AsyncGenerator<OwnEntry> {
    const { rooms } = this.#context;
    const upper = existingUpper(rooms, record.id);
    if (upper === undefined) return;
    await rooms.holder.wake();
    const { layers } = rooms.images;
    const tree = Tree.open(layers.stack(rooms.images.withId(record.image.id).layers));
    yield* ownEntries(decodeTree(tellErrand(rooms.holder, rooms.run, planUpper(upper, contents))), tree);
  }
}

/** The upper directory by itself: it may change while it is told. */
const planUpper = (upper: string, contents: boolean): Plan => ({
  outside: [{ step: "clone", namespaces: 0, cgroup: noSlot }],
  inside: [
    { step: "dieWithParent" },
    { step: "openRoot", path: upper },
    { step: "tellPath", path: "/", follows: 1, crosses: 0, contents: contents ? 1 : 0 },
  ],
  after: [],
});

const keysOf = (names: readonly string[]) =>
  names.length === 0 ? null : Object.fromEntries(names.map((name) => [name, {}]));
const orNull = <T>(values: readonly T[] | null) => (values === null || values.length === 0 ? null : values);

/** What an image says of its containers, from what one of them was asked for. */
const imageConfigOf = (request: CreateRequest): ImageConfig => {
  const { healthcheck, network, mounts } = request;
  return {
    User: request.user,
    ExposedPorts: keysOf(network.exposedPorts),
    Env: orNull(request.env),
    Entrypoint: orNull(request.entrypoint),
    Cmd: orNull(request.command),
    Volumes: keysOf(mounts.filter(({ form }) => form === "volumes").map(({ target }) => target)),
    WorkingDir: request.workingDirectory,
    Labels: Object.keys(request.labels).length === 0 ? null : request.labels,
    StopSignal: request.stopSignal === "" ? undefined : request.stopSignal,
    StopTimeout: request.stopTimeout,
    Healthcheck:
      healthcheck === undefined
        ? undefined
        : {
            Test: healthcheck.test,
            Interval: healthcheck.interval || undefined,
            Timeout: healthcheck.timeout || undefined,
            StartPeriod: healthcheck.startPeriod || undefined,
            StartInterval: healthcheck.startInterval || undefined,
            Retries: healthcheck.retries || undefined,
          },
    Shell: orNull(request.shell),
    OnBuild: null,
    ArgsEscaped: undefined,
  };
};
