/** The terminal while it belongs to a container. Loaded only then: what it needs costs a millisecond. */
import { spawnSync } from "node:child_process";
import { ReadStream } from "node:tty";

/** Every key goes to the container as it is typed, and every byte comes as it was written, until disposed. */
export class RawTerminal implements Disposable {
  readonly #input = new ReadStream(0);
  readonly #restore = (): void => this[Symbol.dispose]();

  constructor() {
    this.#input.setRawMode(true);
    // The runtime's raw mode still turns each line feed into two characters, which breaks programs that draw screens.
    // It leaves no way to say so but stty; where that is missing, most programs do without.
    spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
    process.on("exit", this.#restore);
  }

  /** Holds afterwards: the terminal is as it was. */
  [Symbol.dispose](): void {
    this.#input.setRawMode(false);
    process.off("exit", this.#restore);
  }
}
