/** Whoever asks containers how they are: a session now and then, its end a change of health. */
import { type Clock, timerFor } from "../base/clock.ts";
import type { ContainerId } from "../base/ids.ts";
import { Capture } from "./capture.ts";
import type { ContainerEvents } from "./events.ts";
import type { Execs, ExecTarget } from "./execs.ts";
import { type Check, type Health, healthAfter, type ProbeResult, planCheck, probeWait } from "./health.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerStore } from "./store.ts";

/** As much of what a probe says as Docker keeps (bytes). */
const outputLimit = 4096;

export interface ProbeContext {
  readonly store: ContainerStore;
  readonly events: ContainerEvents;
  readonly execs: Execs;
  readonly clock: Clock;
  /** The container as it runs; rejects when it does not. */
  target(id: ContainerId): Promise<ExecTarget>;
}

interface Monitor {
  readonly check: Check;
  /** When the container began, on the clock that never jumps. */
  readonly since: number;
  timer?: NodeJS.Timeout;
}

export class Probes {
  readonly #context: ProbeContext;
  readonly #monitors = new Map<ContainerId, Monitor>();

  constructor(context: ProbeContext) {
    this.#context = context;
  }

  /** It runs: from now on it is asked. */
  begin({ id, request, state, health }: ContainerRecord): void {
    const check = planCheck(request);
    if (check === undefined || health === undefined || state.status !== "running") return;
    const { clock } = this.#context;
    this.end(id);
    const monitor = { check, since: clock.monotonic() - Math.max(0, clock.now() - state.startedAt) };
    this.#monitors.set(id, monitor);
    this.#wait(id, monitor, health);
  }

  /** It does not run, or stands still: nobody asks. */
  end(id: ContainerId): void {
    clearTimeout(this.#monitors.get(id)?.timer);
    this.#monitors.delete(id);
  }

  /** Nobody is asked any more. */
  close(): void {
    for (const id of [...this.#monitors.keys()]) this.end(id);
  }

  #wait(id: ContainerId, monitor: Monitor, health: Health): void {
    const age = this.#context.clock.monotonic() - monitor.since;
    // A daemon at its end need not wait for it.
    const wait = timerFor(probeWait(health, monitor.check, age));
    monitor.timer = setTimeout(() => void this.#probe(id, monitor), wait).unref();
  }

  async #probe(id: ContainerId, monitor: Monitor): Promise<void> {
    const { clock, store } = this.#context;
    const age = clock.monotonic() - monitor.since;
    const result = await this.#ask(id, monitor.check);
    // It has ended, or begun anew, or stands still: the answer is about what was.
    if (this.#monitors.get(id) !== monitor || !store.has(id)) return;
    const record = store.get(id);
    if (record.health === undefined || record.state.status !== "running") return;
    const health = healthAfter(record.health, monitor.check, result, age);
    const next = { ...record, health };
    // Only a change is worth the disk's while.
    if (health.status === record.health.status) store.note(next);
    else {
      store.put(next);
      this.#context.events.emit(`health_status: ${health.status}`, next);
    }
    this.#wait(id, monitor, health);
  }

  async #ask(id: ContainerId, { args, timeout }: Check): Promise<ProbeResult> {
    const { clock, execs, store } = this.#context;
    const start = clock.now();
    const output = new Capture(outputLimit);
    try {
      const target = await this.#context.target(id);
      const exec = execs.create(store.get(id), { ...quiet, args });
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        execs.kill(exec);
      }, timerFor(timeout));
      try {
        await execs.start(exec, { detach: false, tty: false }, target, output);
        const exitCode = isLate ? -1 : await execs.exitCode(exec);
        const late = `Health check exceeded timeout (${formatDuration(timeout)})`;
        const said = isLate ? `${late}${output.text === "" ? "" : `: ${output.text}`}` : output.text;
        return { start, end: clock.now(), exitCode, output: said };
      } finally {
        clearTimeout(timer);
        execs.drop(exec);
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { start, end: clock.now(), exitCode: -1, output: reason };
    }
  }
}

const quiet = { env: [], tty: false, stdin: false, stdout: true, stderr: true, privileged: false } as const;

/** As Go writes it: `1m30s`, `2.5s`, `100ms`. */
const formatDuration = (milliseconds: number): string => {
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  const whole = [...(hours > 0 ? [`${hours}h`] : []), ...(hours > 0 || minutes > 0 ? [`${minutes}m`] : [])];
  return [...whole, `${(milliseconds % 60_000) / 1000}s`].join("");
};
