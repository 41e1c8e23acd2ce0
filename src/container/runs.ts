/** Containers that run: from their start to their end, with the clients that are attached and those who wait. */
import { existsSync } from "node:fs";
import type { ContainerId } from "../base/ids.ts";
import type { Locks } from "../base/lock.ts";
import { runErrand } from "../kernel/errand.ts";
import type { ExitReport } from "../kernel/keeper.ts";
import { signals } from "../kernel/numbers/signals.ts";
import type { Plan } from "../kernel/steps.ts";
import type { Endpoint } from "../network/endpoint.ts";
import type { Attachments } from "./attachments.ts";
import type { Connections } from "./connect.ts";
import { containerError } from "./errors.ts";
import type { ContainerEvents } from "./events.ts";
import { endedHealth, planCheck, startingHealth } from "./health.ts";
import { planRelink } from "./hosts.ts";
import type { Launcher } from "./launch.ts";
import { defaultAddress, linkNames } from "./links.ts";
import { cleanAfter, clearRun, endOf, type Live, prepareLive, startFailure, writeSpec } from "./live.ts";
import { containerPaths } from "./paths.ts";
import { type ContainerRecord, goesAtEnd } from "./record.ts";
import { nextRestart, startsWithDaemon } from "./restart.ts";
import { Restarts } from "./restarts.ts";
import type { ContainerRooms } from "./rooms.ts";
import type { ContainerFacts } from "./spec.ts";
import { exitCodeOf, isUp, wordOf } from "./state.ts";
import { allowMount } from "./stays.ts";
import type { ContainerStore } from "./store.ts";
import { prepareVolumes, releaseVolumes } from "./volumes.ts";
import type { Waiters, WaitResult } from "./waiters.ts";

/** The exit code of containers whose end nobody saw: the machine went down with them. */
const lostWithMachine = 255;

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
  joined(record: ContainerRecord): Pick<ContainerFacts, "joined" | "linked">;
  /** A container that was to go with its end has ended. */
  destroy(record: ContainerRecord, last: WaitResult): Promise<void>;
}

const yes = (): true => true;
const no = (): false => false;

/** Milliseconds since 1970. */
const timeOf = ({ time }: ExitReport): number => Number(time / 1_000_000n);

/** An end that is on record already (a daemon died before it had taken the report away) keeps its beginning. */
const startOf = ({ state, created }: ContainerRecord, report: ExitReport): number => {
  if (state.status === "running") return state.startedAt;
  return state.status !== "created" && state.finishedAt === timeOf(report) ? state.startedAt : created;
};

export class Runs {
  readonly #context: RunContext;
  readonly #live = new Map<ContainerId, Live>();
  /** When each of them began, on the clock that never jumps. */
  readonly #since = new Map<ContainerId, number>();
  readonly #restarts = new Restarts((id) => this.#startAgain(id));

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

  /** A start that is under way has come to its end: its program may be heard before that. */
  async begun(id: ContainerId): Promise<void> {
    const { locks } = this.#context;
    if (!this.#live.has(id) && locks.isBusy(id)) await locks.run(id, async () => {});
  }

  get(id: ContainerId): Live {
    const live = this.#live.get(id);
    if (live === undefined) throw containerError("notRunning", { id });
    return live;
  }

  /** From now on ends are followed by starts. What waits for one since an earlier daemon goes on waiting. */
  openRestarts(): void {
    const { store } = this.#context;
    for (const record of store.list()) {
      const { id, state } = record;
      if (state.status === "restarting") this.#restarts.schedule(id, record.backOff ?? 0);
      else if (state.status === "exited" && startsWithDaemon(record)) {
        const { stopped: _forgotten, ...rest } = record;
        store.put({ ...rest, state: { ...state, status: "restarting" } });
        this.#restarts.schedule(id, 0);
      }
    }
    this.#restarts.open();
  }

  /** Holds afterwards: nothing starts by itself any more; who waits to be started is left to the next daemon. */
  closeRestarts(): Promise<void> {
    return this.#restarts.close();
  }

  /** Holds afterwards: what waited to be started again stays as it has ended. Answers whether it waited. */
  giveUp(id: ContainerId): Promise<boolean> {
    const { locks, store, waiters } = this.#context;
    if (!store.has(id) || store.get(id).state.status !== "restarting") return Promise.resolve(false);
    // A start that is under way comes to its end first.
    return locks.run(id, async () => {
      if (!store.has(id)) return false;
      const record = store.get(id);
      if (record.state.status !== "restarting") return false;
      this.#restarts.cancel(id);
      store.put({ ...record, stopped: true, state: { ...record.state, status: "exited" } });
      waiters.ended(id, { exitCode: record.state.exitCode });
      return true;
    });
  }

  async #startAgain(id: ContainerId): Promise<void> {
    const { locks, store } = this.#context;
    await locks.run(id, async () => {
      const record = store.has(id) ? store.get(id) : undefined;
      // Why it could not is on record.
      if (record?.state.status === "restarting") await this.#launch(record).catch(() => {});
    });
  }

  /** Holds afterwards: its program runs; or nothing of the start is left but its reason, which is thrown. */
  async start(record: ContainerRecord): Promise<"started" | "already"> {
    if (wordOf(record.state) === "paused") throw containerError("startPaused", {});
    if (isUp(record.state)) return "already";
    if (record.removing) throw containerError("dead", { name: record.name });
    await this.#launch(record);
    return "started";
  }

  async #launch(record: ContainerRecord): Promise<void> {
    const { rooms, launcher, attachments } = this.#context;
    const paths = containerPaths(rooms, record.id);
    let plan: Plan = { outside: [], inside: [], after: [] };
    try {
      const image = rooms.images.withId(record.image.id);
      await rooms.holder.wake();
      // The word of an end that the disk did not take.
      if (existsSync(paths.run)) clearRun(paths);
      await launcher.parents.join(record);
      const { endpoints, live } = await this.#context.connections.start(record, {
        plan: () => plan,
        run: async (endpoints) => {
          const volumes = await prepareVolumes(rooms, record);
          const [prepared] = await Promise.all([
            launcher.prepare({ record, image, endpoints, volumes, ...this.#context.joined(record) }),
            launcher.mountLayers(image),
          ]);
          plan = prepared.plan;
          writeSpec(paths, prepared.spec);
          return { endpoints, live: await prepareLive(rooms.standby, paths, plan, attachments.of(record.id)) };
        },
      });
      // Before its first word: who asks for what it has said since its start wants all of it.
      const startedAt = rooms.clock.now();
      await live.keeper.start();
      this.#tell("connect", record.id, endpoints);
      this.#running({ ...this.#context.store.get(record.id), endpoints }, live, startedAt);
      await this.#relink(this.#context.store.get(record.id)).catch(() => {});
      await attachments.started(record.id, live);
    } catch (error) {
      throw await this.#notStarted(record, error, plan);
    }
  }

  /** Holds afterwards: those that run and are linked to it find it, by the address that it has now. */
  async #relink(started: ContainerRecord): Promise<void> {
    const { rooms, store } = this.#context;
    const address = defaultAddress(started);
    if (address === undefined) return;
    for (const { id, state, request } of store.all()) {
      if (state.status !== "running") continue;
      for (const { container, alias } of request.network.links) {
        if (container !== started.id) continue;
        const outside = planRelink(`${containerPaths(rooms, id).directory}/hosts`, address, linkNames(started, alias));
        if (outside.length > 0) await runErrand(rooms.holder, rooms.run, { outside, inside: [], after: [] });
      }
    }
  }

  #running(record: ContainerRecord, live: Live, startedAt: number): void {
    const { stopped: _stopped, backOff: _backOff, stays: _stays, ...rest } = record;
    const again = record.state.status === "restarting";
    const running: ContainerRecord = {
      ...(again ? record : rest),
      restarts: again ? record.restarts + 1 : 0,
      ...(planCheck(record.request) === undefined ? {} : { health: startingHealth(record.health) }),
      state: { status: "running", pid: live.process.pid, startedAt },
    };
    this.#context.store.put(running);
    this.#context.events.emit("start", running);
    this.watch(record.id, live);
  }

  /** Who comes into its networks with its start, and leaves them at its end. */
  #tell(action: "connect" | "disconnect", id: ContainerId, endpoints: readonly Endpoint[]): void {
    for (const { networkId, network, driver } of endpoints) {
      this.#context.rooms.networks.tell(action, { id: networkId, name: network, driver }, id);
    }
  }

  /** A process that runs is followed to its end. */
  watch(id: ContainerId, live: Live): void {
    const { store, rooms } = this.#context;
    const { state } = store.get(id);
    const ran = state.status === "running" ? Math.max(0, rooms.clock.now() - state.startedAt) : 0;
    this.#live.set(id, live);
    this.#since.set(id, rooms.clock.monotonic() - ran);
    live.keeper.onOom((count) => this.#ranOutOfMemory(id, count));
    endOf(live).then(
      (report) => this.ended(id, report),
      () => this.#keeperLost(id),
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
    const { error, exitCode } = startFailure(
      cause,
      plan,
      record.command[0] ?? "",
      containerPaths(this.#context.rooms, record.id),
    );
    const message = error instanceof Error ? error.message : String(error);
    const paths = containerPaths(this.#context.rooms, record.id);
    // Done by the keeper itself, unless it was killed.
    await cleanAfter(this.#context.rooms.holder, paths);
    await this.#context.connections.disconnect(record.id);
    await this.#context.launcher.parents.leave(record.id);
    await releaseVolumes(this.#context.rooms, record);
    clearRun(paths);
    this.#context.attachments.failed(record.id);
    if (!this.#context.store.has(record.id)) return error;
    this.#putNotStarted(this.#context.store.get(record.id), message, exitCode);
    if (record.request.autoRemove) await this.#context.destroy(record, { exitCode });
    return error;
  }

  /** One that was to be started again is tried again, later: what it lacks may come back. */
  #putNotStarted(record: ContainerRecord, error: string, exitCode: number): void {
    const { store, waiters } = this.#context;
    const { id, state } = record;
    if (state.status === "created" || state.status === "running") {
      store.put({ ...record, state: { status: "created", error, exitCode } });
      return;
    }
    const counted = state.status === "restarting" ? { ...record, restarts: record.restarts + 1 } : record;
    const wait = state.status === "restarting" ? nextRestart(counted, exitCode, 0) : undefined;
    if (wait === undefined) {
      store.put({ ...counted, state: { ...state, status: "exited", error, exitCode } });
      waiters.ended(id, { exitCode });
      return;
    }
    store.put({ ...counted, backOff: wait, state: { ...state, status: "restarting", error, exitCode } });
    this.#restarts.schedule(id, wait);
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
    const isReleased = await this.#context.connections.disconnect(id).then(yes, no);
    await this.#context.launcher.parents.leave(id);
    await releaseVolumes(this.#context.rooms, record);
    // It may have been renamed, or been asked to stay ended, meanwhile.
    const now = { ...this.#context.store.get(id), endpoints: [] };
    const rest = now.health === undefined ? now : { ...now, health: endedHealth(now.health) };
    const wait = nextRestart(rest, exitCode, this.#ranFor(id) ?? finishedAt - startedAt);
    const peak = /^(\d{1,15})$/m.exec(report.report)?.[1];
    const end = { exitCode, oomKilled, ...(peak === undefined ? {} : { peak: Number(peak) }), startedAt, finishedAt };
    const ended: ContainerRecord =
      wait === undefined
        ? { ...rest, state: { status: "exited", ...end } }
        : { ...rest, backOff: wait, state: { status: "restarting", ...end } };
    // On record before the last word of it is gone: a daemon may die between the two. Where the disk does not take it,
    // that word is left to the next daemon.
    const isKept = goesAtEnd(ended) || this.#context.store.keep(ended);
    if (ended.stays) allowMount(containerPaths(this.#context.rooms, id));
    if (isKept && isReleased) clearRun(paths);
    // Until now it could not be removed or started again.
    this.#live.delete(id);
    this.#since.delete(id);
    if (wait !== undefined) this.#restarts.schedule(id, wait);
    if (oomKilled && !told) this.#context.events.emit("oom", ended);
    this.#context.events.emit("die", ended, { exitCode: String(exitCode) });
    this.#tell("disconnect", id, record.endpoints);
    this.#context.waiters.ended(id, { exitCode });
    if (!goesAtEnd(ended)) return;
    await this.#context.locks.run(id, async () => {
      if (this.#context.store.has(id)) await this.#context.destroy(ended, { exitCode });
    });
  }

  /** Milliseconds; undefined when no daemon saw its beginning. */
  #ranFor(id: ContainerId): number | undefined {
    const since = this.#since.get(id);
    return since === undefined ? undefined : this.#context.rooms.clock.monotonic() - since;
  }

  /** It ran, and nobody is left who could say how it ended. */
  lost(id: ContainerId): Promise<void> {
    const time = BigInt(this.#context.rooms.clock.now()) * 1_000_000n;
    return this.ended(id, { status: lostWithMachine << 8, time, report: "", left: 0 });
  }

  /** A keeper was killed: its container must not survive it, and its after lane is run from the copy of the plan. */
  #keeperLost(id: ContainerId): Promise<void> {
    const time = BigInt(this.#context.rooms.clock.now()) * 1_000_000n;
    return this.ended(id, { status: signals.KILL, time, report: "", left: 1 });
  }
}
