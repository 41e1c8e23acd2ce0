/** The service of the room: everything that can be done to a container, one thing at a time for each of them. */
import { existsSync } from "node:fs";
import type { Duplex } from "node:stream";
import { type ContainerId, type ExecId, newContainerId } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import { runErrand } from "../kernel/errand.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import type { Plan } from "../kernel/steps.ts";
import type { VolumeUsers } from "../volume/volumes.ts";
import { Attachments, type StreamRequest } from "./attachments.ts";
import { Commits } from "./commits.ts";
import { Connections } from "./connect.ts";
import { Copies } from "./copies.ts";
import { containerError } from "./errors.ts";
import { type ContainerEvent, ContainerEvents, type EventListener } from "./events.ts";
import { type ExecRecord, type ExecStart, Execs, type ExecTarget } from "./execs.ts";
import { findProcessors } from "./facts.ts";
import { isStepFailure } from "./failure.ts";
import { findGroups } from "./groups.ts";
import { Jobs } from "./jobs.ts";
import { joinedOf, withNetworkOwner } from "./joined.ts";
import { Launcher } from "./launch.ts";
import { LayerMounts } from "./layer-mounts.ts";
import { clearRun, type Live, readSpec } from "./live.ts";
import { type LogOptions, readLogs } from "./logs.ts";
import { Memberships } from "./memberships.ts";
import { volumeMounts } from "./mounts.ts";
import { parseName, randomName } from "./names.ts";
import { containerPaths } from "./paths.ts";
import { checkAwake, Pauses } from "./pauses.ts";
import { Probes } from "./probes.ts";
import { findProcesses, type ProcessTable } from "./processes.ts";
import type { ContainerRecord } from "./record.ts";
import { recover } from "./recover.ts";
import type { CreateRequest, ExecRequest } from "./request.ts";
import { fitToHost, type Processors } from "./request-host.ts";
import { mergeImage } from "./request-image.ts";
import type { ContainerRooms } from "./rooms.ts";
import { type RunContext, Runs } from "./runs.ts";
import { type ContainerSize, findSizes } from "./sizes.ts";
import { commandOf } from "./spec.ts";
import { wordOf } from "./state.ts";
import { type StopRequest, Stops } from "./stops.ts";
import { ContainerStore } from "./store.ts";
import type { UpdateRequest } from "./update.ts";
import { Updates } from "./updates.ts";
import { type ContainerUsage, measure } from "./usage.ts";
import {
  adoptVolumes,
  createVolumes,
  removeAnonymous,
  volumeUsers,
  withVolumeNames,
  withVolumesFrom,
} from "./volumes.ts";
import { type WaitCondition, Waiters, type WaitResult } from "./waiters.ts";

export class Containers {
  readonly events = new ContainerEvents();
  /** What goes into containers and comes out of them as files. */
  readonly copies: Copies;
  /** What they have written, as a layer. */
  readonly commits: Commits;
  readonly memberships: Memberships;
  readonly #rooms: ContainerRooms;
  readonly #store: ContainerStore;
  readonly #launcher: Launcher;
  readonly #connections: Connections;
  readonly #locks = new Locks();
  readonly #waiters = new Waiters();
  readonly #attachments = new Attachments(this.events);
  readonly #runs: Runs;
  readonly #pauses: Pauses;
  readonly #stops: Stops;
  readonly #updates: Updates;
  readonly #execs: Execs;
  readonly jobs: Jobs;
  readonly #probes: Probes;
  readonly #processors: Processors;
  /** Those that a predecessor left, and whose keepers have not answered yet. */
  readonly #late = new Map<ContainerId, Promise<void>>();

  private constructor(rooms: ContainerRooms, store: ContainerStore, launcher: Launcher, processors: Processors) {
    this.#processors = processors;
    this.#rooms = rooms;
    this.#store = store;
    this.#launcher = launcher;
    this.#connections = new Connections(rooms);
    this.#execs = new Execs(rooms, this.events);
    this.jobs = new Jobs({ rooms, launcher, processors, connections: this.#connections });
    this.#probes = new Probes({
      store,
      events: this.events,
      execs: this.#execs,
      clock: rooms.clock,
      target: (id) => this.#findTarget(id),
    });
    this.events.listen(({ action, id }) => {
      if (action === "start" || action === "unpause") this.#probes.begin(store.get(id));
      if (action === "die" || action === "pause") this.#probes.end(id as ContainerId);
    });
    const context: RunContext = {
      rooms,
      store,
      launcher,
      connections: this.#connections,
      attachments: this.#attachments,
      events: this.events,
      waiters: this.#waiters,
      locks: this.#locks,
      joined: (record) => this.#joined(record),
      destroy: (record, last) => this.#destroy(record, last),
    };
    this.#runs = new Runs(context);
    this.#pauses = new Pauses(context, this.#runs);
    this.#stops = new Stops(context, this.#runs, this.#pauses);
    this.#updates = new Updates(context, this.#runs, processors);
    const found = (reference: string): Promise<ContainerRecord> => this.#found(reference);
    this.commits = new Commits({ ...context, runs: this.#runs, pauses: this.#pauses, found });
    this.copies = new Copies({ ...context, runs: this.#runs, found });
    this.memberships = new Memberships({ ...context, found, live: (id) => this.#runs.find(id) });
  }

  /** Finds what runs, and tells the listener what happened meanwhile; finishes what an earlier daemon left half done. */
  static async open(
    rooms: ContainerRooms,
    listener: (event: ContainerEvent, containers: Containers) => void,
  ): Promise<Containers> {
    const mounts = await LayerMounts.open(rooms);
    // What is not taken away now, the next daemon takes away.
    rooms.images.layers.onRemove((layer) => void mounts.remove(layer).catch(() => {}));
    const containers = new Containers(
      rooms,
      new ContainerStore(rooms.database),
      await Launcher.open(rooms, mounts),
      await findProcessors(),
    );
    containers.events.listen((event) => listener(event, containers));
    await containers.#recover();
    await containers.#connections.repair();
    await containers.memberships.heal();
    containers.#runs.openRestarts();
    return containers;
  }

  /**
   * The daemon leaves. Where nothing runs, the host is afterwards as it was before the first container: no mount, no
   * group, no bridge, no process; what runs keeps what it needs.
   */
  async close(): Promise<void> {
    this.#probes.close();
    await this.#runs.closeRestarts();
    if (this.#runs.isEmpty) await this.#launcher.close();
  }

  get(reference: string): ContainerRecord {
    return this.#store.get(reference);
  }

  /** The same, for whoever wants to do something to it: it is known whether it runs. */
  async #found(reference: string): Promise<ContainerRecord> {
    const { id } = this.#store.get(reference);
    await this.#late.get(id);
    return this.#store.get(id);
  }

  list(): readonly ContainerRecord[] {
    return this.#store.list();
  }

  onEvent(listener: EventListener): () => void {
    return this.events.listen(listener);
  }

  async create(asked: CreateRequest, askedName: string | undefined): Promise<{ id: ContainerId; warnings: string[] }> {
    const { record, image, warnings } = this.#draft(asked, this.#chooseName(askedName));
    await this.#launcher.check(record, image);
    this.#reserveName(record);
    await using volumes = await createVolumes(this.#rooms, record, image, this.volumeUsers);
    // Somebody may have been faster meanwhile.
    this.#reserveName(record);
    this.#store.put(record);
    volumes.keep();
    // What goes with its end need not survive a power cut either.
    if (!record.request.autoRemove) await this.#flush(() => this.#store.remove(record));
    this.events.emit("create", record);
    return { id: record.id, warnings: [...warnings] };
  }

  /** The plan of a container that is never made. */
  async explain(asked: CreateRequest): Promise<Plan> {
    const { record, image } = this.#draft(asked, "explained");
    const endpoints = await this.#connections.connect(record);
    try {
      const volumes = new Map(
        volumeMounts(record.request).map(({ name }) => [name, this.#rooms.volumes.mountpoint(name)]),
      );
      return (await this.#launcher.prepare({ record, image, endpoints, volumes, ...this.#joined(record) })).plan;
    } finally {
      this.#rooms.networks.release(record.id);
    }
  }

  /** The record of a container that nobody has heard of yet. */
  #draft(asked: CreateRequest, name: string) {
    const image = this.#rooms.images.get(asked.image);
    const whole = mergeImage(
      withVolumesFrom(asked, (other) => this.#donor(other)),
      image.config,
    );
    const own = withNetworkOwner(withVolumeNames(whole), (one) => this.#store.find(one), this.#rooms.host);
    const { request, warnings } = fitToHost(own, this.#rooms.host, this.#processors);
    const record: ContainerRecord = {
      id: newContainerId(),
      name,
      created: this.#rooms.clock.now(),
      request,
      image: { id: image.id, reference: asked.image },
      command: commandOf(request),
      endpoints: [],
      state: { status: "created" },
      restarts: 0,
    };
    return { record, image, warnings };
  }

  /** The container whose volumes another one asks for. */
  #donor(reference: string): ContainerRecord {
    try {
      return this.#store.get(reference);
    } catch (cause) {
      throw containerError("noSuchDonor", { name: reference }, cause);
    }
  }

  async start(reference: string): Promise<"started" | "already"> {
    const { id } = await this.#found(reference);
    return this.#locks.run(id, () => this.#runs.start(this.#store.get(id)));
  }

  async kill(reference: string, signal: string): Promise<void> {
    await this.#stops.kill(await this.#found(reference), signal);
  }

  async stop(reference: string, options: StopRequest = {}): Promise<"stopped" | "already"> {
    return this.#stops.stop(await this.#found(reference), options);
  }

  async restart(reference: string, options: StopRequest = {}): Promise<void> {
    await this.stop(reference, options);
    await this.start(reference);
    this.events.emit("restart", this.#store.get(reference));
  }

  async pause(reference: string): Promise<void> {
    await this.#pauses.pause(await this.#found(reference));
  }

  async unpause(reference: string): Promise<void> {
    await this.#pauses.unpause(await this.#found(reference));
  }

  async update(reference: string, request: UpdateRequest): Promise<readonly string[]> {
    return this.#updates.update(await this.#found(reference), request);
  }

  wait(reference: string, condition: WaitCondition, signal: AbortSignal): Promise<WaitResult> {
    const { id, state } = this.#store.get(reference);
    if (condition === "not-running" && (state.status === "created" || state.status === "exited")) {
      return Promise.resolve({ exitCode: state.exitCode ?? 0 });
    }
    return this.#waiters.wait(id, condition, signal);
  }

  async remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    const { id } = await this.#found(reference);
    // Somebody may start it while we wait for our turn.
    for (let isGone = false; !isGone; ) {
      const state = this.#store.has(id) ? this.#store.get(id).state : undefined;
      if (this.#runs.find(id) !== undefined || state?.status === "restarting") {
        if (!options.force && wordOf(state!) === "paused") throw containerError("removePaused", { name: reference });
        if (!options.force) throw containerError("removeRunning", { name: reference, state: wordOf(state!) });
        await this.#runs.giveUp(id);
        await this.#stops.end(id);
      }
      isGone = await this.#locks.run(id, async () => {
        if (this.#runs.find(id) !== undefined || (this.#store.has(id) && isWaiting(this.#store.get(id)))) return false;
        // One that was to be removed at its end is gone by now.
        if (this.#store.has(id)) await this.#destroy(this.#store.get(id), { exitCode: 0 }, options.volumes);
        return true;
      });
    }
  }

  /** Holds afterwards: neither a record nor a file of the container is left. Who is interrupted is begun again. */
  async #destroy(record: ContainerRecord, last: WaitResult, withVolumes = record.request.autoRemove): Promise<void> {
    // Who removes itself has done so already, unless it never ran.
    if (!record.request.autoRemove || record.state.status !== "exited") {
      this.#store.put({ ...record, removing: true });
      await this.#removeTree(containerPaths(this.#rooms, record.id).directory).catch((cause: unknown) => {
        const reason = isStepFailure(cause) ? errnoMessage(cause.errno) : "the keeper ended before its work was done";
        throw containerError("notRemoved", { name: record.name, reason }, cause);
      });
    }
    this.#store.remove(record);
    if (withVolumes) await removeAnonymous(this.#rooms, record, this.volumeUsers);
    // The word of an end that the disk did not take.
    clearRun(containerPaths(this.#rooms, record.id));
    this.#execs.forget(record.id);
    this.events.emit("destroy", record);
    this.#waiters.removed(record.id, last);
  }

  async #removeTree(path: string): Promise<void> {
    // One that never ran has none.
    if (!existsSync(path)) return;
    await this.#rooms.holder.wake();
    const steps = [{ step: "removeTree", path, tolerate: [errnos.ENOENT.number] } as const];
    await runErrand(this.#rooms.holder, this.#rooms.run, { outside: steps, inside: [], after: [] });
  }

  async attach(reference: string, request: StreamRequest, client: Duplex): Promise<void> {
    const record = await this.#found(reference);
    checkAwake(record, "attach");
    const { log } = containerPaths(this.#rooms, record.id);
    await this.#attachments.attach(record, this.#runs.find(record.id), log, request, client);
  }

  async resize(reference: string, rows: number, columns: number): Promise<void> {
    const record = await this.#found(reference);
    const live = this.#runs.get(record.id);
    if ((await live.keeper.resize(rows, columns)) !== 0) throw containerError("noTerminal", { id: record.id });
    this.events.emit("resize", record, { height: String(rows), width: String(columns) });
  }

  createExec(reference: string, request: ExecRequest): ExecId {
    const record = this.#store.get(reference);
    checkAwake(record, "exec");
    if (record.state.status !== "running") throw containerError("execNotRunning", { id: record.id });
    return this.#execs.create(record, request);
  }

  getExec(id: string): ExecRecord {
    return this.#execs.get(id);
  }

  execsOf(id: ContainerId): readonly ExecId[] {
    return this.#execs.of(id);
  }

  async startExec(id: string, options: ExecStart, client: Duplex | undefined): Promise<void> {
    const exec = this.#execs.get(id);
    if (this.#runs.find(exec.container) !== undefined) checkAwake(this.#store.get(exec.container), "exec");
    const target = await this.#findTarget(exec.container).catch((cause: unknown) => {
      this.#execs.refuse(exec.id);
      throw containerError("execNotRunning", { id: exec.container }, cause);
    });
    await this.#execs.start(exec.id, options, target, client);
  }

  async #findTarget(id: ContainerId): Promise<ExecTarget> {
    await this.#late.get(id);
    const live = this.#runs.get(id);
    await this.#rooms.holder.wake();
    return { record: this.#store.get(id), process: live.process, spec: await readSpec(live.paths) };
  }

  resizeExec(id: string, rows: number, columns: number): Promise<void> {
    return this.#execs.resize(id, rows, columns);
  }

  logs(reference: string, options: Omit<LogOptions, "raw" | "ended">, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const record = this.#store.get(reference);
    if (record.request.log.driver === "none") throw containerError("logsNotKept", {});
    const running = this.#runs.find(record.id) !== undefined || (this.#late.has(record.id) && isRunning(record));
    const ended = running ? this.#waiters.wait(record.id, "next-exit", signal).catch(() => {}) : Promise.resolve();
    return readLogs(containerPaths(this.#rooms, record.id).log, { ...options, raw: record.request.tty, ended }, signal);
  }

  async processes(reference: string, psArgs: string): Promise<ProcessTable> {
    const record = await this.#found(reference);
    const live = this.#runs.get(record.id);
    const found = await findProcesses(record.name, psArgs, await findGroups(this.#rooms.host, live));
    this.events.emit("top", record);
    return found;
  }

  /** What it uses now; undefined while it does not run. */
  async usage(reference: string): Promise<ContainerUsage | undefined> {
    const { id, request } = await this.#found(reference);
    const live = this.#runs.find(id);
    if (live === undefined) return undefined;
    const groups = await findGroups(this.#rooms.host, live);
    const { pid } = live.process;
    return measure(groups, request.network.mode === "host" ? undefined : pid, this.#rooms.clock.now());
  }
  /** The containers that have a volume of this name. */
  readonly volumeUsers: VolumeUsers = (name) => volumeUsers(() => this.#store.list())(name);

  /** How large these containers are, in their order. */
  sizes(records: readonly ContainerRecord[]): Promise<readonly ContainerSize[]> {
    return findSizes(this.#rooms, records);
  }

  async rename(reference: string, name: string): Promise<void> {
    const record = this.#store.get(reference);
    if (record.name === name.replace(/^\//, "")) throw containerError("sameName", {});
    const renamed = { ...record, name: parseName(name) };
    this.#reserveName(renamed);
    this.#store.put(renamed);
    this.#connections.renamed(renamed);
    await this.#flush(() => this.#store.put({ ...this.#store.get(record.id), name: record.name }));
    this.events.emit("rename", renamed, { oldName: `/${record.name}` });
  }

  /** Holds afterwards: what was done survives a power cut; else it is undone, and the reason thrown. */
  async #flush(undo: () => void): Promise<void> {
    try {
      await this.#rooms.database.flush();
    } catch (error) {
      undo();
      throw error;
    }
  }

  #chooseName(asked: string | undefined): string {
    if (asked !== undefined && asked !== "") return parseName(asked);
    return randomName((name) => this.#store.nameOwner(name) !== undefined);
  }

  #reserveName({ id, name }: ContainerRecord): void {
    const owner = this.#store.nameOwner(name);
    if (owner !== undefined && owner !== id) throw containerError("nameTaken", { name, id: owner });
  }

  #joined(record: ContainerRecord) {
    return joinedOf(
      record,
      (reference) => this.#store.get(reference),
      (id) => containerPaths(this.#rooms, id).directory,
    );
  }

  async #recover(): Promise<void> {
    await recover(this.#rooms, this.#store, {
      running: async (record, live) => {
        await this.#launcher.parents.adopt(record);
        adoptVolumes(this.#rooms, record);
        const endpoints = this.#rooms.networks.endpoints(record.id);
        const state = await this.#pauses.stateOf(runningState(record, live, this.#rooms.clock.now()), live);
        const restarts = record.restarts + (isWaiting(record) ? 1 : 0);
        const attachments = this.#rooms.networks.attachments(record.id) ?? record.request.network.attachments;
        const request = { ...record.request, network: { ...record.request.network, attachments } };
        this.#store.put({ ...record, request, endpoints, restarts, state });
        this.#runs.watch(record.id, live);
        if (!state.paused) this.#probes.begin(this.#store.get(record.id));
      },
      late: (id, found) => {
        this.#late.set(
          id,
          found.finally(() => this.#late.delete(id)),
        );
      },
      ended: (id, report) => this.#runs.ended(id, report),
      lost: (record) => this.#runs.lost(record.id),
      rubbish: (path) => this.#removeTree(path),
      forgotten: (record) => this.#destroy(record, { exitCode: 0 }),
    });
    // What was about to start, and what an earlier daemon had no time to take back.
    for (const id of this.#rooms.networks.containers()) {
      if (this.#runs.find(id) === undefined && !this.#late.has(id)) await this.#connections.disconnect(id);
    }
    const named = this.#rooms.networks.containers().filter((id) => this.#store.has(id));
    this.#connections.openNames(named.map((id) => this.#store.get(id)));
  }
}

const isWaiting = ({ state }: ContainerRecord): boolean => state.status === "restarting";

const isRunning = ({ state }: ContainerRecord): boolean => state.status === "running";

/** A container that the last daemon had started but not yet written down counts from now. */
const runningState = (record: ContainerRecord, live: Live, now: number) =>
  record.state.status === "running"
    ? record.state
    : ({ status: "running", pid: live.process.pid, startedAt: now } as const);
