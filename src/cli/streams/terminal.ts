/** The terminal that the command runs in. */
import { isatty, ReadStream, WriteStream } from "node:tty";
import { cliError } from "../errors.ts";

export const inputIsTerminal = (): boolean => isatty(0);
export const outputIsTerminal = (): boolean => isatty(1);

/** Throws Docker's words when a terminal is asked for and the input is none. */
export const checkTerminal = (interactive: boolean, tty: boolean): void => {
  if (interactive && tty && !inputIsTerminal()) throw cliError("notATerminal", {});
};

/** Height and width of the terminal behind standard output; zeroes where there is none. */
export const terminalSize = (): readonly [rows: number, columns: number] => {
  if (!outputIsTerminal()) return [0, 0];
  const [columns, rows] = new WriteStream(1).getWindowSize();
  return [rows, columns];
};

/** Columns that a text may take: the terminal's, or 80. */
export const textWidth = (): number => {
  const [, columns] = terminalSize();
  return columns > 0 ? columns : 80;
};

/** Every key goes to the container as it is typed, until disposed. */
export class RawTerminal implements Disposable {
  readonly #input: ReadStream | undefined;
  readonly #restore = (): void => this[Symbol.dispose]();

  constructor() {
    if (!inputIsTerminal()) return;
    this.#input = new ReadStream(0);
    this.#input.setRawMode(true);
    process.on("exit", this.#restore);
  }

  [Symbol.dispose](): void {
    this.#input?.setRawMode(false);
    process.off("exit", this.#restore);
  }
}
