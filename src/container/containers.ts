/** The service of the room: everything that can be done to a container, one thing at a time for each of them. */
import type { Duplex } from "node:stream";
import type { ContainerId, ExecId } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import type { Plan } from "../kernel/steps.ts";
import { openFirewalld } from "../network/firewalld.ts";
import type { VolumeUsers } from "../volume/volumes.ts";
import { Attachments, type StreamRequest } from "./attachments.ts";
import { Commits } from "./commits.ts";
import { Connections } from "./connect.ts";
import { Copies } from "./copies.ts";
import { Creations } from "./creations.ts";
import { containerError } from "./errors.ts";
import { type ContainerEvent, ContainerEvents, type EventListener } from "./events.ts";
import { type ExecRecord, type ExecStart, Execs, type ExecTarget } from "./execs.ts";
import { findProcessors } from "./facts.ts";
import { findGroups } from "./groups.ts";
import { Healer } from "./healer.ts";
import { Jobs } from "./jobs.ts";
import { joinedOf } from "./joined.ts";
import { Launcher } from "./launch.ts";
import { LayerMounts } from "./layer-mounts.ts";
import { linkedOf } from "./links.ts";
import { readSpec } from "./live.ts";
import { type LogOptions, readLogs } from "./logs.ts";
import { Memberships } from "./memberships.ts";
import { Namings } from "./namings.ts";
import { containerPaths } from "./paths.ts";
import { checkAwake, Pauses } from "./pauses.ts";
import { Probes } from "./probes.ts";
import { findProcesses, type ProcessTable } from "./processes.ts";
import type { ContainerRecord } from "./record.ts";
import { Removals, type RemoveRequest } from "./removals.ts";
import type { CreateRequest, ExecRequest } from "./request.ts";
import type { Processors } from "./request-host.ts";
import type { ContainerRooms } from "./rooms.ts";
import { type RunContext, Runs } from "./runs.ts";
import { type ContainerSize, findSizes } from "./sizes.ts";
import { Stays } from "./stays.ts";
import { type StopRequest, Stops } from "./stops.ts";
import { ContainerStore } from "./store.ts";
import { Takeover } from "./takeover.ts";
import { Unlinks } from "./unlinks.ts";
import type { UpdateRequest } from "./update.ts";
import { Updates } from "./updates.ts";
import { type ContainerUsage, measure } from "./usage.ts";
import { volumeUsers } from "./volumes.ts";
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
  readonly #stays: Stays;
  readonly #stops: Stops;
  readonly #updates: Updates;
  readonly #execs: Execs;
  readonly jobs: Jobs;
  readonly #probes: Probes;
  readonly #namings: Namings;
  readonly #creations: Creations;
  readonly #removals: Removals;
  readonly #unlinks: Unlinks;
  readonly #takeover: Takeover;
  #healer: Healer | undefined;

  private constructor(rooms: ContainerRooms, store: ContainerStore, launcher: Launcher, processors: Processors) {
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
      destroy: (record, last) => this.#removals.destroy(record, last),
    };
    this.#runs = new Runs(context);
    this.#stays = new Stays(context, this.#runs);
    this.#pauses = new Pauses(context, this.#runs);
    this.#stops = new Stops(context, this.#runs, this.#pauses);
    this.#updates = new Updates(context, this.#runs, processors);
    this.#namings = new Namings(context);
    this.#creations = new Creations(context, this.#namings, processors);
    this.#removals = new Removals(context, this.#runs, this.#stops, this.#execs);
    this.#unlinks = new Unlinks(context);
    this.#takeover = new Takeover(context, {
      runs: this.#runs,
      pauses: this.#pauses,
      probes: this.#probes,
      removals: this.#removals,
    });
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
    await containers.#takeover.run();
    await containers.#connections.repair();
    await containers.memberships.heal();
    containers.#healer = new Healer({
      rooms,
      connections: containers.#connections,
      memberships: containers.memberships,
      locks: containers.#locks,
    });
    // The repair has asked iptables. This one takes a while, and no repair of a start shall wait for it.
    await openFirewalld(rooms.networks.host.name).catch(() => {});
    containers.#runs.openRestarts();
    return containers;
  }

  /**
   * The daemon leaves. Where nothing runs, the host is afterwards as it was before the first container: no mount, no
   * group, no bridge, no process; what runs keeps what it needs.
   */
  async close(): Promise<void> {
    this.#probes.close();
    await this.#healer?.close();
    await this.#runs.closeRestarts();
    this.#removals.close();
    if (this.#runs.isEmpty) await this.#launcher.close();
  }

  get(reference: string): ContainerRecord {
    return this.#store.get(reference);
  }

  /** The same, for whoever wants to do something to it: it is known whether it runs. */
  async #found(reference: string): Promise<ContainerRecord> {
    const { id } = this.#store.get(reference);
    await this.#takeover.settled(id);
    return this.#store.get(id);
  }

  /** The same, as it is when a start that is under way is over: what its program says may be heard before that. */
  async #begun(reference: string): Promise<ContainerRecord> {
    const { id } = await this.#found(reference);
    await this.#runs.begun(id);
    return this.#store.get(id);
  }

  list(): readonly ContainerRecord[] {
    return this.#store.list();
  }

  onEvent(listener: EventListener): () => void {
    return this.events.listen(listener);
  }

  create(asked: CreateRequest, name: string | undefined): Promise<{ id: ContainerId; warnings: string[] }> {
    return this.#creations.create(asked, name);
  }

  /** The plan of a container that is never made. */
  explain(asked: CreateRequest): Promise<Plan> {
    return this.#creations.explain(asked);
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
    await this.#stays.prepare(await this.#found(reference));
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

  async remove(reference: string, options: RemoveRequest): Promise<void> {
    const { id } = await this.#found(reference);
    await this.#removals.remove(id, reference, options);
  }

  /** Holds afterwards: the link of this name, `web/store`, is gone. */
  unlink(reference: string): Promise<void> {
    return this.#unlinks.unlink(reference);
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

  async createExec(reference: string, request: ExecRequest): Promise<ExecId> {
    const record = await this.#begun(reference);
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
    await this.#takeover.settled(id);
    const live = this.#runs.get(id);
    await this.#rooms.holder.wake();
    return { record: this.#store.get(id), process: live.process, spec: await readSpec(live.paths) };
  }

  resizeExec(id: string, rows: number, columns: number): Promise<void> {
    return this.#execs.resize(id, rows, columns);
  }

  async logs(
    reference: string,
    options: Omit<LogOptions, "raw" | "ended">,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const record = this.#store.get(reference);
    const { driver, maxFiles } = record.request.log;
    if (driver === "none" || maxFiles === 0) throw containerError("logsNotKept", {});
    const running = this.#runs.find(record.id) !== undefined || (this.#takeover.isLate(record.id) && isRunning(record));
    const ended = running ? this.#waiters.wait(record.id, "next-exit", signal).catch(() => {}) : Promise.resolve();
    return readLogs(containerPaths(this.#rooms, record.id).log, { ...options, raw: record.request.tty, ended }, signal);
  }

  async processes(reference: string, psArgs: string): Promise<ProcessTable> {
    const record = await this.#begun(reference);
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
    await this.#namings.rename(this.#store.get(reference), name);
  }

  #joined(record: ContainerRecord) {
    const { joined } = joinedOf(
      record,
      (reference) => this.#store.get(reference),
      (id) => containerPaths(this.#rooms, id).directory,
    );
    const linked = linkedOf(record, (reference) => this.#store.find(reference));
    return { linked, ...(joined === undefined ? {} : { joined }) };
  }
}

const isRunning = ({ state }: ContainerRecord): boolean => state.status === "running";
