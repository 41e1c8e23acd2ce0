/**
 * The records of a log in Docker's json-file format, one JSON object a line, turned into what a client gets. 200,000
 * lines are read back at once, so a record of the shape that we write ourselves is cut, not parsed:
 * `{"log":"…\n","stream":"stdout","time":"2026-01-01T00:00:00.123Z"}`
 */

import { fixedTime, padTime, toFixedTime } from "./logs-time.ts";

export interface LogFormat {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Each record begins with its time. */
  readonly timestamps: boolean;
  /** Each record begins with its attributes. */
  readonly details?: boolean;
  /** Nanoseconds since 1970; a record at this very time is in. */
  readonly since?: bigint | undefined;
  readonly until?: bigint | undefined;
  /** The bytes alone, as a terminal has one stream; else each record is framed and bears its stream's name. */
  readonly raw: boolean;
}

const prefix = Buffer.from('{"log":"');
const stdoutTail = Buffer.from('","stream":"stdout","time":"');
const stderrTail = Buffer.from('","stream":"stderr","time":"');
const backslash = 0x5c;
const quote = 0x22;
const newline = 0x0a;
const letterN = 0x6e;
const letterZ = 0x5a;

const chunkSize = 128 * 1024;
const fullEnough = 64 * 1024;
const headerSize = 8;
/** The longest frame that records are gathered in, its header included: what Docker's clients read at once. */
const longestFrame = 32 * 1024;

interface LogRecord {
  readonly text: Uint8Array;
  readonly stdout: boolean;
  /** As `fixedTime` writes it. */
  readonly time: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/**
 * Takes records, gives chunks of at least 64 KiB, and what is left at the end. With `gathers` the records of one stream
 * that follow each other share frames: a client writes each frame by itself, and 200,000 writes take it longer than
 * everything else. Without, each is a frame of its own, for programs that take what comes for a line.
 */
export class LogEncoder {
  readonly #format: LogFormat;
  readonly #since: string;
  readonly #until: string;
  readonly #timed: boolean;
  readonly #gathers: boolean;
  #chunk = Buffer.allocUnsafe(chunkSize);
  #used = 0;
  /** The last frame in the chunk, to which a record of the same stream can be added. */
  #frame: { readonly at: number; readonly stdout: boolean } | undefined;
  readonly #full: Uint8Array[] = [];
  /** A record after `until` was seen. */
  past = false;

  constructor(format: LogFormat, gathers: boolean) {
    this.#format = format;
    this.#gathers = gathers;
    this.#since = format.since === undefined ? "" : fixedTime(format.since);
    this.#until = format.until === undefined ? "" : fixedTime(format.until);
    this.#timed = format.timestamps || this.#since !== "" || this.#until !== "";
  }

  /** The record between two offsets, its newline not included. What is no record is passed over. */
  push(buffer: Buffer, start: number, end: number): void {
    if (!this.#pushCanonical(buffer, start, end)) this.#pushParsed(buffer, start, end);
  }

  /** The chunks that are ready, or all there is. */
  take(all: boolean): readonly Uint8Array[] {
    if (all ? this.#used > 0 : this.#used >= fullEnough) this.#finishChunk();
    return this.#full.splice(0);
  }

  #pushCanonical(buffer: Buffer, start: number, end: number): boolean {
    // The time is at most 30 bytes: "2026-01-01T00:00:00.123456789Z".
    if (end - start < 64 || buffer[end - 1] !== 0x7d || buffer[end - 2] !== quote || buffer[end - 3] !== letterZ) {
      return false;
    }
    if (!isAt(buffer, prefix, start)) return false;
    const timeEnd = end - 2;
    let timeStart = timeEnd - 20;
    while (buffer[timeStart - 1] !== quote) if (--timeStart < timeEnd - 31) return false;
    const textEnd = timeStart - stdoutTail.length;
    const textStart = start + prefix.length;
    if (textEnd < textStart) return false;
    const stdout = isAt(buffer, stdoutTail, textEnd);
    if (!stdout && !isAt(buffer, stderrTail, textEnd)) return false;

    const plainEnd = indexOfBefore(buffer, backslash, textStart, textEnd);
    const whole = plainEnd === textEnd;
    const plainLine = plainEnd === textEnd - 2 && buffer[plainEnd + 1] === letterN;
    if (!(whole || plainLine) || this.#format.details) return false;
    if (!(stdout ? this.#format.stdout : this.#format.stderr)) return true;
    const time = this.#timed ? padTime(buffer.toString("latin1", timeStart, timeEnd)) : "";
    if (this.#timed && !this.#isWanted(time)) return true;
    const length = this.#open(stdout, time, "", plainEnd - textStart + (plainLine ? 1 : 0));
    buffer.copy(this.#chunk, length, textStart, plainEnd);
    if (plainLine) this.#chunk[length + plainEnd - textStart] = newline;
    return true;
  }

  #pushParsed(buffer: Buffer, start: number, end: number): void {
    const record = parseRecord(buffer.toString("utf8", start, end));
    if (record === undefined || !this.#isWanted(record.time)) return;
    if (!(record.stdout ? this.#format.stdout : this.#format.stderr)) return;
    const time = this.#format.timestamps ? record.time : "";
    const details = this.#format.details ? encodeDetails(record.attributes) : "";
    this.#chunk.set(record.text, this.#open(record.stdout, time, details, record.text.length));
  }

  #isWanted(time: string): boolean {
    if (this.#until !== "" && time > this.#until) this.past = true;
    return !this.past && time >= this.#since;
  }

  /** Makes room for a record and writes what comes before its text; the answer is where the text goes. */
  #open(stdout: boolean, time: string, details: string, textLength: number): number {
    const front = (this.#format.timestamps ? `${time} ` : "") + details;
    const length = Buffer.byteLength(front) + textLength;
    const size = length + (this.#format.raw ? 0 : headerSize);
    if (this.#used + size > this.#chunk.length) {
      this.#finishChunk();
      if (size > this.#chunk.length) this.#chunk = Buffer.allocUnsafe(size);
    }
    let at = this.#format.raw ? this.#used : this.#openFrame(stdout, length);
    if (front !== "") at += this.#chunk.write(front, at);
    this.#used = at + textLength;
    return at;
  }

  /** A frame for so many bytes more, for which there is room; the answer is where they go. */
  #openFrame(stdout: boolean, length: number): number {
    const at = this.#used;
    const open = this.#frame;
    if (open !== undefined && open.stdout === stdout && at + length - open.at <= longestFrame) {
      this.#chunk.writeUInt32BE(at + length - open.at - headerSize, open.at + 4);
      return at;
    }
    if (this.#gathers) this.#frame = { at, stdout };
    this.#chunk.writeUInt32LE(stdout ? 1 : 2, at);
    this.#chunk.writeUInt32BE(length, at + 4);
    return at + headerSize;
  }

  #finishChunk(): void {
    if (this.#used > 0) this.#full.push(this.#chunk.subarray(0, this.#used));
    this.#chunk = Buffer.allocUnsafe(chunkSize);
    this.#used = 0;
    this.#frame = undefined;
  }
}

const isAt = (buffer: Buffer, text: Buffer, at: number): boolean => {
  for (let index = 0; index < text.length; index++) if (buffer[at + index] !== text[index]) return false;
  return true;
};

/** `end` when the byte is not there. */
const indexOfBefore = (buffer: Buffer, byte: number, start: number, end: number): number => {
  // Nearly every line has one, at its end: a native search would be the most expensive part of it.
  for (let at = start; at < end; at++) if (buffer[at] === byte) return at;
  return end;
};

/** Any other record: with escapes, with attributes, or written by another program. */
const parseRecord = (line: string): LogRecord | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined; // cut short by a crash of the machine
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { log, stream, time, attrs } = value as Record<string, unknown>;
  return {
    text: Buffer.from(typeof log === "string" ? log : ""),
    stdout: stream !== "stderr",
    time: typeof time === "string" ? toFixedTime(time) : fixedTime(0n),
    attributes: typeof attrs === "object" && attrs !== null ? { ...attrs } : {},
  };
};

/** `a=1,b=2 ` in the order of their names, escaped as in a URL; the space is there without any too, as in Docker. */
const encodeDetails = (attributes: Readonly<Record<string, unknown>>): string => {
  const pairs = Object.entries(attributes).map(([name, value]) =>
    new URLSearchParams({ [name]: String(value) }).toString(),
  );
  return `${pairs.sort().join(",")} `;
};
