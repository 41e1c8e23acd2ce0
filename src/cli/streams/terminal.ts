/** The terminal that the command runs in. */
import { cliError } from "../errors.ts";

/** Loaded when it is asked: a command that has nothing to do with a terminal starts half a millisecond sooner. */
const tty = () => process.getBuiltinModule("node:tty");

export const inputIsTerminal = (): boolean => tty().isatty(0);
export const outputIsTerminal = (): boolean => tty().isatty(1);

/** Throws Docker's words when a terminal is asked for and the input is none. */
export const checkTerminal = (interactive: boolean, tty: boolean): void => {
  if (interactive && tty && !inputIsTerminal()) throw cliError("notATerminal", {});
};

/** Height and width of the terminal behind standard output; zeroes where there is none. */
export const terminalSize = (): readonly [rows: number, columns: number] => {
  if (!outputIsTerminal()) return [0, 0];
  const [columns, rows] = new (tty().WriteStream)(1).getWindowSize();
  return [rows, columns];
};

/** Columns that a text may take: the terminal's, or 80. */
export const textWidth = (): number => {
  const [, columns] = terminalSize();
  return columns > 0 ? columns : 80;
};

/** Our terminal as the container's, until disposed; undefined where our input is none. */
export const openRawTerminal = async (): Promise<Disposable | undefined> =>
  inputIsTerminal() ? new (await import("./raw-terminal.ts")).RawTerminal() : undefined;
