/** How a container that runs is told to end, by signals and in time. */
import { timerFor } from "../base/clock.ts";
import type { ContainerId } from "../base/ids.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import { parseSignal, signals } from "../kernel/numbers/signals.ts";
import { containerError } from "./errors.ts";
import type { Live } from "./live.ts";
import type { Pauses } from "./pauses.ts";
import type { ContainerRecord } from "./record.ts";
import type { RunContext, Runs } from "./runs.ts";
import type { WaitResult } from "./waiters.ts";

const defaultStopTimeout = 10;

export interface StopRequest {
  readonly signal?: string;
  /** Seconds; below 0: for ever. */
  readonly timeout?: number;
}

export class Stops {
  readonly #context: RunContext;
  readonly #runs: Runs;
  readonly #pauses: Pauses;

  constructor(context: RunContext, runs: Runs, pauses: Pauses) {
    this.#context = context;
    this.#runs = runs;
    this.#pauses = pauses;
  }

  async kill(record: ContainerRecord, signal: string): Promise<void> {
    const number = parseSignal(signal || "SIGKILL");
    // One that is about to run again has nothing that could be signalled, and stays as it has ended.
    if (await this.#runs.giveUp(record.id)) return;
    await this.#runs.begun(record.id);
    const live = this.#runs.find(record.id);
    if (live === undefined) throw containerError("cannotKill", { name: record.name, id: record.id });
    const ended = number === signals.KILL ? this.#exit(record.id) : undefined;
    if (asksForEnd(record, number)) await this.#markStopped(record.id);
    await this.#signal(record, live, number);
    await ended;
  }

  /** Asks the container to end, and kills it when it does not within its time (seconds). */
  async stop(record: ContainerRecord, options: StopRequest = {}): Promise<"stopped" | "already"> {
    const signal = parseSignal(options.signal || record.request.stopSignal || "SIGTERM");
    const timeout = options.timeout ?? record.request.stopTimeout ?? defaultStopTimeout;
    const wasWaiting = await this.#runs.giveUp(record.id);
    const live = this.#runs.find(record.id);
    if (live === undefined && !wasWaiting) return "already";
    if (live !== undefined) {
      const ended = this.#exit(record.id);
      await this.#markStopped(record.id);
      await this.#signal(record, live, signal);
      if (timeout >= 0) await this.#killAfter(record, live, timeout, ended);
      await ended;
    }
    this.#context.events.emit("stop", record);
    return "stopped";
  }

  /** Holds afterwards: what ran has been killed and has ended, and nothing starts it again. */
  async end(id: ContainerId): Promise<void> {
    const live = this.#runs.find(id);
    if (live === undefined) return;
    const record = this.#context.store.get(id);
    const ended = this.#exit(id);
    await this.#markStopped(id);
    await this.#signal(record, live, signals.KILL);
    await ended;
  }

  async #signal(record: ContainerRecord, live: Live, number: number): Promise<void> {
    const errno = await live.keeper.signal(number);
    // Of whom is not there any more, the end is about to be told.
    if (errno !== 0 && errno !== errnos.ESRCH.number)
      throw containerError("signalRefused", { name: record.name, reason: errnoMessage(errno) });
    this.#context.events.emit("kill", record, { signal: String(number) });
    if (asksForEnd(record, number)) await this.#pauses.wake(record);
  }

  async #killAfter(record: ContainerRecord, live: Live, seconds: number, ended: Promise<unknown>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(() => resolve("late"), timerFor(seconds * 1000));
    const first = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (first === "late") await this.#signal(record, live, signals.KILL);
  }

  /** Said before the signal: the end may come at once, and a restart policy must know whose doing it is. */
  async #markStopped(id: ContainerId): Promise<void> {
    const { store, rooms } = this.#context;
    const record = store.get(id);
    // On a disk that takes nothing any more it is stopped all the same: then this daemon alone knows whose doing it was.
    if (!store.keep({ ...record, stopped: true }) || record.request.restart === undefined) return;
    // What was stopped stays so also after a power cut.
    await rooms.database.flush().catch(() => {});
  }

  /** Resolves when the container that runs now has ended. */
  #exit(id: ContainerId): Promise<WaitResult> {
    return this.#context.waiters.wait(id, "next-exit", new AbortController().signal);
  }
}

/** Whoever says HUP wants something else than an end: the next crash is restarted. */
const asksForEnd = ({ request }: ContainerRecord, signal: number): boolean =>
  [signals.KILL, parseSignal(request.stopSignal || "SIGTERM"), signals.INT, signals.QUIT].includes(signal);
