/** A keeper that was started before anybody needs one: to make a process is a part of a start that nobody has to wait for. */
import type { Holder } from "./holder.ts";
import { Keeper } from "./keeper.ts";

export class Standby implements Disposable {
  readonly #holder: Holder;
  /** Undefined when it was killed, or could not be started. */
  #ready: Keeper | undefined;

  /** Holds afterwards: one stands by, if there is room for a process. */
  constructor(holder: Holder) {
    this.#holder = holder;
    this.#call();
  }

  get isReady(): boolean {
    return this.#ready !== undefined;
  }

  /** As `Keeper.launch`, at once; and another one stands by for the next. */
  launch(planPath: string): Keeper {
    const ready = this.#ready;
    ready?.begin(planPath);
    const keeper = ready ?? Keeper.launch(this.#holder, planPath);
    // While that one works on its plan.
    this.#call();
    return keeper;
  }

  /** Nobody stands by any more. */
  [Symbol.dispose](): void {
    this.#ready?.leave();
    this.#ready = undefined;
  }

  #call(): void {
    const keeper = Keeper.launchAhead(this.#holder);
    this.#ready = keeper;
    void keeper.closed.then(() => {
      if (this.#ready === keeper) this.#ready = undefined;
    });
  }
}
