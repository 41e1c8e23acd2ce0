/** Those who wait for a container to end or to be gone. */
import type { ContainerId } from "../base/ids.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface WaitResult {
  readonly exitCode: number;
  readonly error?: string;
}

interface Waiter {
  readonly condition: WaitCondition;
  readonly resolve: (result: WaitResult) => void;
}

export class Waiters {
  readonly #waiting = new Map<ContainerId, Set<Waiter>>();
  /** The last exit of a container that is about to be removed: what `removed` is told. */
  readonly #last = new Map<ContainerId, WaitResult>();

  /** Settles when the condition holds; rejects when the client has gone. */
  wait(id: ContainerId, condition: WaitCondition, signal: AbortSignal): Promise<WaitResult> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(id) ?? new Set<Waiter>();
      this.#waiting.set(id, waiting);
      const leave = (): void => {
        waiting.delete(waiter);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      };
      const gone = (): void => {
        leave();
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        condition,
        resolve: (result) => {
          leave();
          signal.removeEventListener("abort", gone);
          resolve(result);
        },
      };
      waiting.add(waiter);
      if (signal.aborted) gone();
      else signal.addEventListener("abort", gone, { once: true });
    });
  }

  ended(id: ContainerId, result: WaitResult): void {
    this.#last.set(id, result);
    this.#settle(id, result, (condition) => condition !== "removed");
  }

  /** The container is gone: everybody goes home. */
  removed(id: ContainerId, fallback: WaitResult): void {
    const result = this.#last.get(id) ?? fallback;
    this.#last.delete(id);
    this.#settle(id, result, () => true);
  }

  #settle(id: ContainerId, result: WaitResult, applies: (condition: WaitCondition) => boolean): void {
    for (const waiter of [...(this.#waiting.get(id) ?? [])]) if (applies(waiter.condition)) waiter.resolve(result);
  }
}
