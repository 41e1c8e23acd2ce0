/** Work on one thing, one after the other; work on different things side by side. */
export class Locks {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Work under this key runs or waits. */
  isBusy(key: string): boolean {
    return this.#last.has(key);
  }

  /** Runs `work` when all earlier work under this key has ended, whatever became of it. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const turn = (async () => {
      if (before !== undefined) await before.catch(() => {});
      return work();
    })();
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}
