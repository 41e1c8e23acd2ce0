/** Containers that wait to be started again. What they wait for is on record: the next daemon goes on with it. */
import type { ContainerId } from "../base/ids.ts";

export class Restarts {
  readonly #start: (id: ContainerId) => Promise<void>;
  readonly #timers = new Map<ContainerId, NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  /** What was scheduled before the daemon had found everything that runs. */
  #early: Map<ContainerId, number> | undefined = new Map();
  #isClosed = false;

  /** `start` is called when the time has come; it must look whether the container still waits. */
  constructor(start: (id: ContainerId) => Promise<void>) {
    this.#start = start;
  }

  /** Times run from now on. */
  open(): void {
    const early = this.#early ?? new Map<ContainerId, number>();
    this.#early = undefined;
    for (const [id, wait] of early) this.schedule(id, wait);
  }

  /** Milliseconds, on a clock that never jumps. */
  schedule(id: ContainerId, wait: number): void {
    this.cancel(id);
    if (this.#isClosed) return;
    if (this.#early !== undefined) {
      this.#early.set(id, wait);
      return;
    }
    const begin = (): void => {
      this.#timers.delete(id);
      const run = this.#start(id).finally(() => this.#running.delete(run));
      this.#running.add(run);
    };
    this.#timers.set(id, setTimeout(begin, wait));
  }

  cancel(id: ContainerId): void {
    this.#early?.delete(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  /** Holds afterwards: nothing is started any more. Who waited is left to the next daemon. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const id of [...this.#timers.keys()]) this.cancel(id);
    await Promise.all(this.#running);
  }
}
