/** Reading a container's log back: all of it or its end, and on as it grows, across rotations. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { timerFor } from "../base/clock.ts";
import { closeAll, findTail, type LogFile, openLogFiles } from "./logs-files.ts";
import { LogEncoder, type LogFormat } from "./logs-record.ts";

export interface LogOptions extends LogFormat {
  /** Only so many records from the end; absent: all. */
  readonly tail?: number | undefined;
  readonly follow: boolean;
  /** Resolves when the container has ended and everything it said is in the log: a follower reads on to the end and is done. */
  readonly ended?: Promise<unknown> | undefined;
}

/**
 * What clients of `GET /containers/{id}/logs` get, in chunks of 64 KiB or what there is. A reader that is slow slows
 * nobody else: the file waits. Its files are open when this resolves: whoever removes the container then takes nothing of
 * it away.
 */
export const readLogs = async (
  path: string,
  options: LogOptions,
  signal?: AbortSignal,
): Promise<AsyncGenerator<Uint8Array>> => {
  const chunks = openAndRead(path, options, signal);
  await chunks.next();
  return chunks;
};

/** A generator that was never begun closes nothing: it stops once when all is open, and goes on with what is read. */
async function* openAndRead(path: string, options: LogOptions, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const encoder = new LogEncoder(options, !options.follow);
  // Watching begins before reading: what is written in between wakes us.
  using changes = options.follow ? new Changes(path, options, signal) : undefined;
  const files = await openLogFiles(path);
  try {
    yield opened;
    const from = options.tail === undefined ? { index: 0, offset: 0 } : await findTail(files, options.tail);
    await closeAll(files.splice(0, from.index));
    let offset = from.offset;
    for (;;) {
      // Asked before reading: what was written before the end was announced is read before we go.
      const over = changes?.isOver ?? true;
      const [file] = files;
      if (file !== undefined) {
        // Without follow, what is written while we read is not for us; else a busy container kept us for ever.
        const limit = options.follow ? Number.MAX_SAFE_INTEGER : file.size;
        for await (const [next, chunks] of readRecords(file, offset, limit, encoder)) {
          offset = next;
          yield* chunks;
          if (signal?.aborted) return;
        }
      }
      if (files.length > 1 && !encoder.past) {
        await files.shift()![Symbol.asyncDispose]();
        offset = 0;
        continue;
      }
      yield* encoder.take(true);
      if (signal?.aborted || encoder.past || changes === undefined) return;
      const newer = await openLogFiles(path, file);
      if (newer.length === 0 && over) return;
      // The file we hold got its last record before it lost its name: it is read to its end once more.
      if (newer.length === 0) await changes.next();
      files.push(...newer);
    }
  } finally {
    await closeAll(files);
  }
}

const opened = new Uint8Array(0);

const readSize = 256 * 1024;
const newline = 0x0a;

/** Reads whole records from an offset on; gives the offset after the last one read, and the chunks that are full. */
async function* readRecords(
  file: LogFile,
  from: number,
  limit: number,
  encoder: LogEncoder,
): AsyncGenerator<readonly [number, readonly Uint8Array[]]> {
  // Longer than any record: 16 KiB of text, each byte escaped by six.
  const buffer = Buffer.allocUnsafe(Math.min(readSize, Math.max(limit - from, 1)));
  let offset = from;
  for (;;) {
    const room = Math.min(buffer.length, limit - offset);
    const bytesRead = room > 0 ? await file.read(buffer, room, offset) : 0;
    let start = 0;
    for (;;) {
      const end = buffer.indexOf(newline, start);
      if (end < 0 || end >= bytesRead) break;
      encoder.push(buffer, start, end);
      start = end + 1;
      if (encoder.past) break;
    }
    // Nothing but a beginning: it is not written out yet, or it is no record and never ends.
    if (start === 0 && bytesRead < readSize) return;
    offset += start === 0 ? bytesRead : start;
    yield [offset, encoder.take(false)];
    if (encoder.past) return;
  }
}

/** How long a word of the watcher's that was lost can hold a follower up (milliseconds): Bun 1.4's loses one in some hundred. */
const lookAgain = 500;

/** Wakes a follower: by inotify when the log's files change, when the container has ended, when the client has gone. */
class Changes implements Disposable {
  readonly #watcher: FSWatcher;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #again: NodeJS.Timeout;
  readonly #wake = (): void => {
    this.#pending = true;
    this.#resume?.();
  };
  #pending = false;
  #resume: (() => void) | undefined;
  /** Nothing more will be written, or nothing more is wanted. */
  isOver = false;

  constructor(path: string, { ended, until }: LogOptions, signal: AbortSignal | undefined) {
    const name = basename(path);
    this.#watcher = watch(dirname(path), (_, changed) => {
      if (changed === null || changed.startsWith(name)) this.#wake();
    });
    // A directory that is removed beneath us ends the reading, not the daemon.
    this.#watcher.on("error", () => this.#finish());
    this.#again = setInterval(this.#wake, lookAgain);
    ended?.then(
      () => this.#finish(),
      () => this.#finish(),
    );
    this.#signal = signal;
    signal?.addEventListener("abort", this.#wake);
    if (until !== undefined) this.#timer = setTimeout(() => this.#finish(), millisecondsTo(until));
  }

  /** Resolves when something has changed since the last time. */
  async next(): Promise<void> {
    if (!this.#pending && !this.#signal?.aborted) {
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
    }
    this.#pending = false;
    this.#resume = undefined;
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
    this.#signal?.removeEventListener("abort", this.#wake);
    clearTimeout(this.#timer);
    clearInterval(this.#again);
  }

  #finish(): void {
    this.isOver = true;
    this.#wake();
  }
}

/** setTimeout takes 31 bits. */
const millisecondsTo = (nanoseconds: bigint): number =>
  timerFor(Math.max(Number(nanoseconds / 1_000_000n) - Date.now(), 0));
