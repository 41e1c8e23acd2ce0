/** Standard output and standard error, written past the runtime's streams: quicker to start, and never more than a little waiting in memory. */
import { errnoOf } from "../../base/errors.ts";
import { files } from "../../base/files.ts";

/** The exit code of a program that SIGPIPE ends, which is how Go's programs, and all of Unix's, meet a closed pipe. */
const BROKEN_PIPE = 141;
/** Bytes that may wait before the source is asked to hold back. */
const ENOUGH = 1024 * 1024;
/** How long until a full pipe that does not block is tried again, in milliseconds. */
const RETRY = 2;
/** Linux's limit on the parts of one writev. */
const MOST_PARTS = 1024;

/** What has gone wrong with an output ends the program: there is nobody left to tell. */
const fail = (error: Error): never => process.exit(errnoOf(error) === "EPIPE" ? BROKEN_PIPE : 1);

/** Writes a short text at once; holds afterwards: all of it is written. */
const writeAtOnce = (fd: 1 | 2, text: string): void => {
  let rest: Buffer = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(files().writeSync(fd, rest));
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") fail(error as Error);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY);
    }
  }
};

const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Without the control characters by which a name could write elsewhere on a terminal. */
export const harmless = (text: string): string => text.replace(controls, "");

/** What we say ourselves. Names, labels and errors in it are others': at a terminal they steer nothing. */
const say = (fd: 1 | 2, text: string): void => {
  // Whether it is a terminal is only asked when it matters.
  const steers = text.search(controls) >= 0 && process.getBuiltinModule("node:tty").isatty(fd);
  writeAtOnce(fd, steers ? harmless(text) : text);
};

export const print = (text: string): void => say(1, text);
export const printError = (text: string): void => say(2, text);

/** Writes a stream in order without blocking, so that signals are heard while the reader of a pipe takes its time. */
export class Output {
  readonly #fd: 1 | 2;
  #queue: Uint8Array[] = [];
  #waiting = 0;
  #busy = false;
  #calm: (() => void)[] = [];

  constructor(fd: 1 | 2) {
    this.#fd = fd;
  }

  /** False: so much is waiting now that the source should hold back until `calm`. The data must not change afterwards. */
  push(data: Uint8Array): boolean {
    this.#queue.push(data);
    this.#waiting += data.length;
    if (!this.#busy) this.#next();
    return this.#waiting < ENOUGH;
  }

  /** Resolves when nothing waits any more. */
  async calm(): Promise<void> {
    if (this.#waiting > 0) await new Promise<void>((resolve) => this.#calm.push(resolve));
  }

  #next(): void {
    const [first] = this.#queue;
    if (first === undefined) {
      for (const resolve of this.#calm.splice(0)) resolve();
      return;
    }
    this.#busy = true;
    const written = (error: Error | null, count: number): void => this.#written(error, count);
    if (this.#queue.length === 1) files().write(this.#fd, first, written);
    else files().writev(this.#fd, this.#queue.slice(0, MOST_PARTS), written);
  }

  #written(error: Error | null, count: number): void {
    this.#busy = false;
    if (errnoOf(error) === "EAGAIN") {
      this.#busy = true;
      setTimeout(() => {
        this.#busy = false;
        this.#next();
      }, RETRY);
      return;
    }
    if (error !== null) fail(error);
    this.#waiting -= count;
    this.#queue = unwritten(this.#queue, count);
    this.#next();
  }
}

/** The parts that are left when so many bytes are gone. */
const unwritten = (parts: Uint8Array[], count: number): Uint8Array[] => {
  let whole = 0;
  let left = count;
  while (whole < parts.length && left >= parts[whole]!.length) left -= parts[whole++]!.length;
  const rest = parts.slice(whole);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
};
