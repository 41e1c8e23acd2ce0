/** So many at once and no more, by key; the others wait in the order in which they came. */
export class Turns {
  readonly #limit: number;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves when it is one's turn, which lasts until the answer is disposed. */
  async take(key: string, signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    const running = this.#running.get(key) ?? 0;
    if (running < this.#limit) this.#running.set(key, running + 1);
    else await this.#wait(key, signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#pass(key);
        held = false;
      },
    };
  }

  #wait(key: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(key) ?? [];
      this.#waiting.set(key, queue);
      const leave = (): void => {
        queue.splice(queue.indexOf(go), 1);
        reject(signal!.reason as Error);
      };
      const go = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      queue.push(go);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  /** To the next who waits; the place is free when nobody does. */
  #pass(key: string): void {
    const next = this.#waiting.get(key)?.shift();
    if (next !== undefined) {
      next();
      return;
    }
    const running = this.#running.get(key)! - 1;
    if (running > 0) this.#running.set(key, running);
    else this.#running.delete(key);
    if (this.#waiting.get(key)?.length === 0) this.#waiting.delete(key);
  }
}
