/** The service of the room: everything that can be done to a container, one thing at a time for each of them. */
import type { Duplex } from "node:stream";
import { type ContainerId, type ExecId, newContainerId } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import { cgroupPaths } from "../kernel/cgroup/paths.ts";
import { runErrand } from "../kernel/errand.ts";
import type { ExitReport } from "../kernel/keeper.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { parseSignal, signals } from "../kernel/numbers/signals.ts";
import type { Plan } from "../kernel/steps.ts";
import type { AttachRequest } from "./attach.ts";
import { joinStreams } from "./attach.ts";
import { Connections } from "./connect.ts";
import { containerError } from "./errors.ts";
import { ContainerEvents, type EventListener } from "./events.ts";
import { type ExecRecord, type ExecStart, Execs } from "./execs.ts";
import { findProcessors } from "./facts.ts";
import { Launcher } from "./launch.ts";
import { LayerMounts } from "./layer-mounts.ts";
import { type Attachment, clearRun, type Live, prepareLive, readSpec, startFailure, writeSpec } from "./live.ts";
import { type LogOptions, readLogs } from "./logs.ts";
import { shmOf } from "./mounts.ts";
import { parseName, randomName } from "./names.ts";
import { containerPaths } from "./paths.ts";
import { findProcesses, type ProcessTable } from "./processes.ts";
import type { ContainerRecord } from "./record.ts";
import { cleanAfter, readExit, recover } from "./recover.ts";
import type { CreateRequest, ExecRequest } from "./request.ts";
import { fitToHost, type Processors } from "./request-host.ts";
import { mergeImage } from "./request-image.ts";
import type { ContainerRooms } from "./rooms.ts";
import { commandOf } from "./spec.ts";
import { exitCodeOf } from "./state.ts";
import { ContainerStore } from "./store.ts";
import { type WaitCondition, Waiters, type WaitResult } from "./waiters.ts";

/** The exit code of containers whose end nobody saw: the machine went down with them. */
const lostWithMachine = 255;
const defaultStopTimeout = 10;
const forever = -1;

export class Containers {
  readonly events = new ContainerEvents();
  readonly #rooms: ContainerRooms;
  readonly #store: ContainerStore;
  readonly #launcher: Launcher;
  readonly #connections: Connections;
  readonly #locks = new Locks();
  readonly #waiters = new Waiters();
  readonly #live = new Map<ContainerId, Live>();
  readonly #attachments = new Map<ContainerId, Attachment[]>();
  readonly #execs: Execs;
  readonly #processors: Processors;

  private constructor(rooms: ContainerRooms, store: ContainerStore, launcher: Launcher, processors: Processors) {
    this.#processors = processors;
    this.#rooms = rooms;
    this.#store = store;
    this.#launcher = launcher;
    this.#connections = new Connections(rooms);
    this.#execs = new Execs(rooms, this.events);
  }

  /** Finds what runs, finishes what an earlier daemon left half done. */
  static async open(rooms: ContainerRooms): Promise<Containers> {
    const mounts = await LayerMounts.open(rooms.root, rooms.run, rooms.holder);
    rooms.images.layers.onRemove((layer) => void mounts.unmount(layer.number));
    const containers = new Containers(
      rooms,
      new ContainerStore(rooms.database),
      new Launcher(rooms, mounts),
      await findProcessors(),
    );
    await containers.#launcher.openParent();
    await containers.#recover();
    await containers.#connections.repair();
    return containers;
  }

  /**
   * The daemon leaves. Where nothing runs, the host is afterwards as it was before the first container: no mount, no
   * group, no bridge, no process; what runs keeps what it needs.
   */
  async close(): Promise<void> {
    if (this.#live.size === 0) await this.#launcher.close();
  }

  get(reference: string): ContainerRecord {
    return this.#store.get(reference);
  }

  list(): readonly ContainerRecord[] {
    return this.#store.list();
  }

  onEvent(listener: EventListener): () => void {
    return this.events.listen(listener);
  }

  /** The process that runs, with its keeper; undefined when none does. */
  live(id: ContainerId): Live | undefined {
    return this.#live.get(id);
  }

  async create(asked: CreateRequest, askedName: string | undefined): Promise<{ id: ContainerId; warnings: string[] }> {
    const image = this.#rooms.images.get(asked.image);
    const { request, warnings } = fitToHost(mergeImage(asked, image.config), this.#rooms.host, this.#processors);
    const record: ContainerRecord = {
      id: newContainerId(),
      name: this.#chooseName(askedName),
      created: this.#rooms.clock.now(),
      request,
      image: { id: image.id, reference: asked.image },
      command: commandOf(request),
      state: { status: "created" },
      restarts: 0,
    };
    await this.#launcher.check(record, image);
    this.#reserveName(record);
    // What goes with its end need not survive a power cut either.
    this.#store.put(record, !request.autoRemove);
    this.events.emit("create", record);
    return { id: record.id, warnings: [...warnings] };
  }

  /** The plan of a container that is never made. */
  async explain(asked: CreateRequest): Promise<Plan> {
    const image = this.#rooms.images.get(asked.image);
    const request = mergeImage(asked, image.config);
    const id = newContainerId();
    const record: ContainerRecord = {
      id,
      name: id.slice(0, 12),
      created: this.#rooms.clock.now(),
      request,
      image: { id: image.id, reference: asked.image },
      command: commandOf(request),
      state: { status: "created" },
      restarts: 0,
    };
    const endpoint = await this.#connections.connect(record);
    try {
      return (await this.#launcher.prepare({ record, image, endpoint, ...this.#joined(record) })).plan;
    } finally {
      if (endpoint !== undefined) this.#rooms.networks.release(id);
    }
  }

  start(reference: string): Promise<"started" | "already"> {
    const { id } = this.#store.get(reference);
    return this.#locks.run(id, () => this.#start(this.#store.get(id)));
  }

  async #start(record: ContainerRecord): Promise<"started" | "already"> {
    if (record.state.status === "running") return "already";
    const image = this.#rooms.images.withId(record.image.id);
    const paths = containerPaths(this.#rooms, record.id);
    const attachments = this.#attachments.get(record.id) ?? [];
    let plan: Plan = { outside: [], inside: [], after: [] };
    try {
      await this.#rooms.holder.wake();
      await this.#launcher.keepParent(record.request.resources.cgroupParent);
      const { endpoint, live } = await this.#connections.start(record, {
        plan: () => plan,
        run: async (endpoint) => {
          const [prepared] = await Promise.all([
            this.#launcher.prepare({ record, image, endpoint, ...this.#joined(record) }),
            this.#launcher.mountLayers(image),
          ]);
          plan = prepared.plan;
          await writeSpec(paths, prepared.spec);
          return { endpoint, live: await prepareLive(this.#rooms.holder, paths, plan, attachments) };
        },
      });
      await live.keeper.start();
      this.#attachments.delete(record.id);
      this.#running({ ...record, ...(endpoint === undefined ? {} : { endpoint }) }, live);
      return "started";
    } catch (error) {
      throw await this.#notStarted(record, error, plan);
    }
  }

  #running(record: ContainerRecord, live: Live): void {
    const startedAt = this.#rooms.clock.now();
    const running = { ...record, state: { status: "running", pid: live.process.pid, startedAt } } as const;
    this.#store.put(running);
    this.events.emit("start", running);
    this.#watch(record.id, live);
  }

  #watch(id: ContainerId, live: Live): void {
    this.#live.set(id, live);
    live.keeper.exited.then(
      (report) => this.#ended(id, report),
      () => this.#keeperLost(id, live),
    );
  }

  /** Holds afterwards: nothing of the failed start is left but its reason. */
  async #notStarted(record: ContainerRecord, cause: unknown, plan: Plan): Promise<unknown> {
    const { error, exitCode } = startFailure(cause, plan, record.command[0] ?? "");
    const message = error instanceof Error ? error.message : String(error);
    await clearRun(containerPaths(this.#rooms, record.id));
    this.#rooms.networks.release(record.id);
    for (const { client } of this.#attachments.get(record.id) ?? []) client.end();
    this.#attachments.delete(record.id);
    if (!this.#store.has(record.id)) return error;
    this.#store.put({ ...record, state: { status: "created", error: message, exitCode } });
    if (record.request.autoRemove) await this.#destroy(record, { exitCode });
    return error;
  }

  async #ended(id: ContainerId, report: ExitReport): Promise<void> {
    const record = this.#store.get(id);
    const exitCode = exitCodeOf(report.status);
    const startedAt = record.state.status === "running" ? record.state.startedAt : record.created;
    // The keeper's clock may have been read before ours was for the start.
    const finishedAt = Math.max(startedAt, Number(report.time / 1_000_000n));
    const oomKilled = /^oom_kill [1-9]/m.test(report.report);
    await this.#connections.disconnect(id);
    await clearRun(containerPaths(this.#rooms, id));
    // Until now it could not be removed or started again.
    this.#live.delete(id);
    const { endpoint: _released, ...rest } = record;
    const ended: ContainerRecord = {
      ...rest,
      state: { status: "exited", exitCode, oomKilled, startedAt, finishedAt },
    };
    if (!record.request.autoRemove) this.#store.put(ended);
    if (oomKilled) this.events.emit("oom", ended);
    this.events.emit("die", ended, { exitCode: String(exitCode) });
    this.#waiters.ended(id, { exitCode });
    if (!record.request.autoRemove) return;
    await this.#locks.run(id, async () => {
      if (this.#store.has(id)) await this.#destroy(ended, { exitCode });
    });
  }

  /** A keeper was killed: its container must not survive it, and its after lane is run from the copy of the plan. */
  async #keeperLost(id: ContainerId, live: Live): Promise<void> {
    const report = await readExit(live.paths);
    await this.#rooms.holder.wake();
    if (report === undefined) await cleanAfter(this.#rooms.holder, live.paths);
    const killed = { status: signals.KILL, time: BigInt(this.#rooms.clock.now()) * 1_000_000n, report: "" };
    await this.#ended(id, report ?? killed);
  }

  async kill(reference: string, signal: string): Promise<void> {
    const record = this.#store.get(reference);
    const number = parseSignal(signal || "SIGKILL");
    const live = this.#live.get(record.id);
    if (live === undefined) throw containerError("cannotKill", { name: reference, id: record.id });
    const ended = number === signals.KILL ? this.#exit(record.id) : undefined;
    await live.keeper.signal(number);
    this.events.emit("kill", record, { signal: String(number) });
    await ended;
  }

  async stop(reference: string, options: { signal?: string; timeout?: number } = {}): Promise<"stopped" | "already"> {
    const record = this.#store.get(reference);
    const live = this.#live.get(record.id);
    if (live === undefined) return "already";
    const signal = parseSignal(options.signal || record.request.stopSignal || "SIGTERM");
    const timeout = options.timeout ?? record.request.stopTimeout ?? defaultStopTimeout;
    const ended = this.#exit(record.id);
    await live.keeper.signal(signal);
    this.events.emit("kill", record, { signal: String(signal) });
    if (timeout !== forever) await this.#killAfter(record, live, timeout, ended);
    await ended;
    this.events.emit("stop", record);
    return "stopped";
  }

  async #killAfter(record: ContainerRecord, live: Live, seconds: number, ended: Promise<unknown>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(() => resolve("late"), seconds * 1000);
    const first = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (first !== "late") return;
    await live.keeper.signal(signals.KILL);
    this.events.emit("kill", record, { signal: String(signals.KILL) });
  }

  async restart(reference: string, options: { signal?: string; timeout?: number } = {}): Promise<void> {
    await this.stop(reference, options);
    await this.start(reference);
    this.events.emit("restart", this.#store.get(reference));
  }

  /** Resolves when the container that runs now has ended. */
  #exit(id: ContainerId): Promise<WaitResult> {
    return this.#waiters.wait(id, "next-exit", new AbortController().signal);
  }

  wait(reference: string, condition: WaitCondition, signal: AbortSignal): Promise<WaitResult> {
    const { id, state } = this.#store.get(reference);
    if (condition === "not-running" && state.status !== "running") {
      return Promise.resolve({ exitCode: state.exitCode ?? 0 });
    }
    return this.#waiters.wait(id, condition, signal);
  }

  async remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    const { id } = this.#store.get(reference);
    const live = this.#live.get(id);
    if (live !== undefined) {
      if (!options.force) throw containerError("removeRunning", { name: reference });
      const ended = this.#exit(id);
      await live.keeper.signal(signals.KILL);
      await ended;
    }
    await this.#locks.run(id, async () => {
      // One that was to be removed at its end is gone by now.
      if (this.#store.has(id)) await this.#destroy(this.#store.get(id), { exitCode: 0 });
    });
  }

  /** Holds afterwards: neither a record nor a file of the container is left. The record goes first: files without one are rubbish. */
  async #destroy(record: ContainerRecord, last: WaitResult): Promise<void> {
    const { directory } = containerPaths(this.#rooms, record.id);
    this.#store.remove(record);
    // Who removes itself has done so already, unless it never ran.
    if (!record.request.autoRemove || record.state.status !== "exited") await this.#removeTree(directory);
    this.#execs.forget(record.id);
    this.events.emit("destroy", record);
    this.#waiters.removed(record.id, last);
  }

  async #removeTree(path: string): Promise<void> {
    await this.#rooms.holder.wake();
    const steps = [{ step: "removeTree", path, tolerate: [errnos.ENOENT.number] } as const];
    await runErrand(this.#rooms.holder, this.#rooms.run, { outside: steps, inside: [], after: [] });
  }

  /** Joins the client to the container, now if it runs and at its start if it does not; resolves when the stream is over. */
  async attach(
    reference: string,
    request: AttachRequest & { logs: boolean; stream: boolean },
    client: Duplex,
  ): Promise<void> {
    const record = this.#store.get(reference);
    const tty = record.request.tty;
    if (request.logs) await this.#replay(record, request, client);
    if (!request.stream) {
      client.end();
      return;
    }
    const wanted = { ...request, stdin: request.stdin && record.request.openStdin };
    const live = this.#live.get(record.id);
    const over =
      live === undefined
        ? this.#attachLater(record, wanted, client)
        : (await joinStreams(client, live.paths.control, wanted, tty, live.keeper.exited)).over;
    this.events.emit((await over) ? "detach" : "attach", record);
  }

  #attachLater(record: ContainerRecord, request: AttachRequest, client: Duplex): Promise<boolean> {
    const waiting = this.#attachments.get(record.id) ?? [];
    this.#attachments.set(record.id, waiting);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const attachment: Attachment = {
      client,
      request,
      tty: record.request.tty,
      joined: resolve,
    };
    waiting.push(attachment);
    client.once("close", () => {
      const index = waiting.indexOf(attachment);
      if (index >= 0) waiting.splice(index, 1);
      resolve(false);
    });
    return promise;
  }

  async #replay(record: ContainerRecord, request: AttachRequest, client: Duplex): Promise<void> {
    const { stdout, stderr } = request;
    const options = {
      stdout,
      stderr,
      follow: false,
      timestamps: false,
      details: false,
      raw: record.request.tty,
    };
    for await (const chunk of readLogs(containerPaths(this.#rooms, record.id).log, options)) {
      if (!client.write(chunk)) await new Promise((resolve) => client.once("drain", resolve));
    }
  }

  async resize(reference: string, rows: number, columns: number): Promise<void> {
    const record = this.#store.get(reference);
    const live = this.#live.get(record.id);
    if (live === undefined) throw containerError("notRunning", { id: record.id });
    if ((await live.keeper.resize(rows, columns)) !== 0) throw containerError("noTerminal", { id: record.id });
    this.events.emit("resize", record, { height: String(rows), width: String(columns) });
  }

  createExec(reference: string, request: ExecRequest): ExecId {
    const record = this.#store.get(reference);
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
    const record = this.#store.get(exec.container);
    const live = this.#live.get(record.id);
    if (live === undefined) throw containerError("execNotRunning", { id: record.id });
    const target = { record, process: live.process, spec: await readSpec(live.paths) };
    await this.#rooms.holder.wake();
    await this.#execs.start(exec.id, options, target, client);
  }

  resizeExec(id: string, rows: number, columns: number): Promise<void> {
    return this.#execs.resize(id, rows, columns);
  }

  logs(reference: string, options: Omit<LogOptions, "raw" | "ended">, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const record = this.#store.get(reference);
    if (record.request.log.driver === "none") throw containerError("logsNotKept", {});
    const running = this.#live.has(record.id);
    const ended = running ? this.#waiters.wait(record.id, "next-exit", signal).catch(() => {}) : Promise.resolve();
    return readLogs(containerPaths(this.#rooms, record.id).log, { ...options, raw: record.request.tty, ended }, signal);
  }

  async processes(reference: string, psArgs: string): Promise<ProcessTable> {
    const record = this.#store.get(reference);
    const live = this.#live.get(record.id);
    if (live === undefined) throw containerError("notRunning", { id: record.id });
    const { linux } = await readSpec(live.paths);
    return findProcesses(record.name, psArgs, cgroupPaths(this.#rooms.host.cgroup, linux.cgroupsPath, false));
  }

  rename(reference: string, name: string): void {
    const record = this.#store.get(reference);
    if (record.name === name.replace(/^\//, "")) throw containerError("sameName", {});
    const renamed = { ...record, name: parseName(name) };
    this.#reserveName(renamed);
    this.#store.put(renamed, true);
    this.events.emit("rename", renamed, { oldName: `/${record.name}` });
  }

  #chooseName(asked: string | undefined): string {
    if (asked !== undefined && asked !== "") return parseName(asked);
    return randomName((name) => this.#store.nameOwner(name) !== undefined);
  }

  #reserveName({ id, name }: ContainerRecord): void {
    const owner = this.#store.nameOwner(name);
    if (owner !== undefined && owner !== id) throw containerError("nameTaken", { name, id: owner });
  }

  /** The processes whose namespaces the container asks to share. */
  #joined({ request }: ContainerRecord) {
    const { pid, ipc } = request.namespaces;
    const of = (reference: string, kind: "pid" | "ipc"): number => {
      const other = this.#store.get(reference);
      if (other.state.status !== "running") throw containerError("joinStopped", { id: other.id });
      if (kind === "ipc" && keepsToItself(other)) throw containerError("ipcNotShared", { id: other.id });
      return other.state.pid;
    };
    if (pid.kind !== "container" && ipc.kind !== "container") return {};
    const ipcPid = ipc.kind === "container" ? of(ipc.ref, "ipc") : undefined;
    return {
      joined: {
        ...(pid.kind === "container" ? { pid: of(pid.ref, "pid") } : {}),
        ...(ipcPid === undefined ? {} : { ipc: ipcPid, shm: shmOf(ipcPid) }),
      },
    };
  }

  async #recover(): Promise<void> {
    await recover(this.#rooms, this.#store, {
      running: (record, live) => {
        const endpoint = this.#rooms.networks.endpoint(record.id);
        const state = runningState(record, live, this.#rooms.clock.now());
        this.#store.put({ ...record, ...(endpoint === undefined ? {} : { endpoint }), state });
        this.#watch(record.id, live);
      },
      ended: (id, report) => this.#ended(id, report),
      lost: async (record) => {
        const time = BigInt(this.#rooms.clock.now()) * 1_000_000n;
        await this.#ended(record.id, { status: lostWithMachine << 8, time, report: "" });
      },
      rubbish: (path) => this.#removeTree(path),
      forgotten: (record) => this.#destroy(record, { exitCode: 0 }),
    });
    // What was about to start, and what an earlier daemon had no time to take back.
    for (const id of this.#rooms.networks.containers()) {
      if (!this.#live.has(id)) await this.#connections.disconnect(id);
    }
  }
}

const keepsToItself = ({ request }: ContainerRecord): boolean =>
  request.namespaces.ipc.kind === "private" || request.namespaces.ipc.kind === "none";

/** A container that the last daemon had started but not yet written down counts from now. */
const runningState = (record: ContainerRecord, live: Live, now: number) =>
  record.state.status === "running"
    ? record.state
    : ({ status: "running", pid: live.process.pid, startedAt: now } as const);
