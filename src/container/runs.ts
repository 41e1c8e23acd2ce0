/** Containers that run: from their start to their end, with the clients that are attached and those who wait. */
import type { ContainerId } from "../base/ids.ts";
import type { Locks } from "../base/lock.ts";
import type { ExitReport } from "../kernel/keeper.ts";
import { parseSignal, signals } from "../kernel/numbers/signals.ts";
import type { Plan } from "../kernel/steps.ts";
import type { Attachments } from "./attachments.ts";
import type { Connections } from "./connect.ts";
import { containerError } from "./errors.ts";
import type { ContainerEvents } from "./events.ts";
import type { Launcher } from "./launch.ts";
import { cleanAfter, clearRun, type Live, prepareLive, startFailure, writeSpec } from "./live.ts";
import { containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import { readExit } from "./recover.ts";
import type { ContainerRooms } from "./rooms.ts";
import type { ContainerFacts } from "./spec.ts";
import { exitCodeOf } from "./state.ts";
import type { ContainerStore } from "./store.ts";
import type { Waiters, WaitResult } from "./waiters.ts";

/** The exit code of containers whose end nobody saw: the machine went down with them. */
const lostWithMachine = 255;
const defaultStopTimeout = 10;
const forever = -1;

export interface StopRequest {
  readonly signal?: string;
  /** Seconds; -1: for ever. */
  readonly timeout?: number;
}

/** What a run needs of its surroundings. */
export interface RunContext {
  readonly rooms: ContainerRooms;
  readonly store: ContainerStore;
  readonly launcher: Launcher;
  readonly connections: Connections;
  readonly attachments: Attachments;
  readonly events: ContainerEvents;
  readonly waiters: Waiters;
  readonly locks: Locks;
  /** The processes whose namespaces the container asks to share. */
  joined(record: ContainerRecord): { readonly joined?: ContainerFacts["joined"] };
  /** A container that was to go with its end has ended. */
  destroy(record: ContainerRecord, last: WaitResult): Promise<void>;
}

/** Milliseconds since 1970. */
const timeOf = ({ time }: ExitReport): number => Number(time / 1_000_000n);

/** An end that is on record already (a daemon died before it had taken the report away) keeps its beginning. */
const startOf = ({ state, created }: ContainerRecord, report: ExitReport): number => {
  if (state.status === "running") return state.startedAt;
  return state.status === "exited" && state.finishedAt === timeOf(report) ? state.startedAt : created;
};

export class Runs {
  readonly #context: RunContext;
  readonly #live = new Map<ContainerId, Live>();

  constructor(context: RunContext) {
    this.#context = context;
  }

  get isEmpty(): boolean {
    return this.#live.size === 0;
  }

  /** The process that runs, with its keeper; undefined when none does. */
  find(id: ContainerId): Live | undefined {
    return this.#live.get(id);
  }

  get(id: ContainerId): Live {
    const live = this.#live.get(id);
    if (live === undefined) throw containerError("notRunning", { id });
    return live;
  }

  /** Holds afterwards: its program runs; or nothing of the start is left but its reason, which is thrown. */
  async start(record: ContainerRecord): Promise<"started" | "already"> {
    if (record.state.status === "running") return "already";
    if (record.removing) throw containerError("dead", { name: record.name });
    const { rooms, launcher, attachments } = this.#context;
    const image = rooms.images.withId(record.image.id);
    const paths = containerPaths(rooms, record.id);
    let plan: Plan = { outside: [], inside: [], after: [] };
    try {
      await rooms.holder.wake();
      await launcher.parents.join(record);
      const { endpoint, live } = await this.#context.connections.start(record, {
        plan: () => plan,
        run: async (endpoint) => {
          const [prepared] = await Promise.all([
            launcher.prepare({ record, image, endpoint, ...this.#context.joined(record) }),
            launcher.mountLayers(image),
          ]);
          plan = prepared.plan;
          writeSpec(paths, prepared.spec);
          return { endpoint, live: await prepareLive(rooms.holder, paths, plan, attachments.of(record.id)) };
        },
      });
      await live.keeper.start();
      this.#running({ ...record, ...(endpoint === undefined ? {} : { endpoint }) }, live);
      await attachments.started(record.id, live);
      return "started";
    } catch (error) {
      throw await this.#notStarted(record, error, plan);
    }
  }

  #running(record: ContainerRecord, live: Live): void {
    const startedAt = this.#context.rooms.clock.now();
    const running = { ...record, state: { status: "running", pid: live.process.pid, startedAt } } as const;
    this.#context.store.put(running);
    this.#context.events.emit("start", running);
    this.watch(record.id, live);
  }

  /** A process that runs is followed to its end. */
  watch(id: ContainerId, live: Live): void {
    this.#live.set(id, live);
    live.keeper.onOom((count) => this.#ranOutOfMemory(id, count));
    live.keeper.exited.then(
      (report) => this.ended(id, report),
      () => this.#keeperLost(id, live),
    );
  }

  /** Told at once, as in Docker, whether it was the first process that was killed for it or another. */
  #ranOutOfMemory(id: ContainerId, ooms: number): void {
    const record = this.#context.store.get(id);
    const { state } = record;
    // A keeper says it again to every daemon that connects.
    if (state.status !== "running" || ooms <= (state.ooms ?? 0)) return;
    const poorer = { ...record, state: { ...state, ooms } };
    this.#context.store.put(poorer);
    this.#context.events.emit("oom", poorer);
  }

  /** Holds afterwards: nothing of the failed start is left but its reason. */
  async #notStarted(record: ContainerRecord, cause: unknown, plan: Plan): Promise<unknown> {
    const { error, exitCode } = startFailure(cause, plan, record.command[0] ?? "");
    const message = error instanceof Error ? error.message : String(error);
    const paths = containerPaths(this.#context.rooms, record.id);
    // Done by the keeper itself, unless it was killed.
    await cleanAfter(this.#context.rooms.holder, paths);
    await this.#context.connections.disconnect(record.id);
    await this.#context.launcher.parents.leave(record.id);
    clearRun(paths);
    this.#context.attachments.failed(record.id);
    if (!this.#context.store.has(record.id)) return error;
    this.#context.store.put({ ...record, state: { status: "created", error: message, exitCode } });
    if (record.request.autoRemove) await this.#context.destroy(record, { exitCode });
    return error;
  }

  /** The end of a container goes on record, and whoever waits for it is told. */
  async ended(id: ContainerId, report: ExitReport): Promise<void> {
    const record = this.#context.store.get(id);
    const exitCode = exitCodeOf(report.status);
    const startedAt = startOf(record, report);
    // The keeper's clock may have been read before ours was for the start.
    const finishedAt = Math.max(startedAt, timeOf(report));
    const told = record.state.status === "running" && (record.state.ooms ?? 0) > 0;
    // The kernel's own count: also of what nobody heard, or what the whole machine's lack of memory has cost.
    const oomKilled = told || /^oom_kill [1-9]/m.test(report.report);
    const paths = containerPaths(this.#context.rooms, id);
    if (report.left > 0) await cleanAfter(this.#context.rooms.holder, paths);
    await this.#context.connections.disconnect(id);
    await this.#context.launcher.parents.leave(id);
    const { endpoint: _released, ...rest } = record;
    const ended: ContainerRecord = {
      ...rest,
      state: { status: "exited", exitCode, oomKilled, startedAt, finishedAt },
    };
    // On record before the last word of it is gone: a daemon may die between the two.
    if (!record.request.autoRemove) this.#context.store.put(ended);
    clearRun(paths);
    // Until now it could not be removed or started again.
    this.#live.delete(id);
    if (oomKilled && !told) this.#context.events.emit("oom", ended);
    this.#context.events.emit("die", ended, { exitCode: String(exitCode) });
    this.#context.waiters.ended(id, { exitCode });
    if (!record.request.autoRemove) return;
    await this.#context.locks.run(id, async () => {
      if (this.#context.store.has(id)) await this.#context.destroy(ended, { exitCode });
    });
  }

  /** It ran, and nobody is left who could say how it ended. */
  lost(id: ContainerId): Promise<void> {
    const time = BigInt(this.#context.rooms.clock.now()) * 1_000_000n;
    return this.ended(id, { status: lostWithMachine << 8, time, report: "", left: 0 });
  }

  /** A keeper was killed: its container must not survive it, and its after lane is run from the copy of the plan. */
  async #keeperLost(id: ContainerId, live: Live): Promise<void> {
    const time = BigInt(this.#context.rooms.clock.now()) * 1_000_000n;
    await this.ended(id, (await readExit(live.paths)) ?? { status: signals.KILL, time, report: "", left: 1 });
  }

  async kill(record: ContainerRecord, signal: string): Promise<void> {
    const number = parseSignal(signal || "SIGKILL");
    const live = this.#live.get(record.id);
    if (live === undefined) throw containerError("cannotKill", { name: record.name, id: record.id });
    const ended = number === signals.KILL ? this.#exit(record.id) : undefined;
    await live.keeper.signal(number);
    this.#context.events.emit("kill", record, { signal: String(number) });
    await ended;
  }

  /** Asks the container to end, and kills it when it does not within its time (seconds). */
  async stop(record: ContainerRecord, options: StopRequest = {}): Promise<"stopped" | "already"> {
    const live = this.#live.get(record.id);
    if (live === undefined) return "already";
    const signal = parseSignal(options.signal || record.request.stopSignal || "SIGTERM");
    const timeout = options.timeout ?? record.request.stopTimeout ?? defaultStopTimeout;
    const ended = this.#exit(record.id);
    await live.keeper.signal(signal);
    this.#context.events.emit("kill", record, { signal: String(signal) });
    if (timeout !== forever) await this.#killAfter(record, live, timeout, ended);
    await ended;
    this.#context.events.emit("stop", record);
    return "stopped";
  }

  async #killAfter(record: ContainerRecord, live: Live, seconds: number, ended: Promise<unknown>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(() => resolve("late"), seconds * 1000);
    const first = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (first !== "late") return;
    await live.keeper.signal(signals.KILL);
    this.#context.events.emit("kill", record, { signal: String(signals.KILL) });
  }

  /** Holds afterwards: what ran has been killed and has ended. */
  async end(id: ContainerId): Promise<void> {
    const record = this.#context.store.get(id);
    const ended = this.#exit(id);
    await this.get(id).keeper.signal(signals.KILL);
    this.#context.events.emit("kill", record, { signal: String(signals.KILL) });
    await ended;
  }

  /** Resolves when the container that runs now has ended. */
  #exit(id: ContainerId): Promise<WaitResult> {
    return this.#context.waiters.wait(id, "next-exit", new AbortController().signal);
  }
}
