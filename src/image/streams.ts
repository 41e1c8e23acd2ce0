/** The same bytes until `signal` says stop: then the source is closed and its error thrown, also while nothing arrives. */
export async function* abortable(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (signal === undefined) return yield* source;
  signal.throwIfAborted();
  const chunks = source[Symbol.asyncIterator]();
  let stop: (reason: unknown) => void = () => {};
  const abort = (): void => stop(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      // No race with one promise for all pieces: it would hold every piece that ever came until it settles.
      const { done, value } = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        stop = reject;
        chunks.next().then(resolve, reject);
      });
      if (done === true) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    // A source that waits for bytes that never come would not answer.
    chunks.return?.()?.catch(() => {});
  }
}

/** Content that remembers whether it was what failed, and that can be looked into. */
export class Watched implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #head: Uint8Array[] = [];
  error: unknown;

  constructor(content: AsyncIterable<Uint8Array>) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** The first `length` bytes, or all if there are fewer; they are read again afterwards. */
  async peek(length: number): Promise<Uint8Array> {
    let size = 0;
    while (size < length) {
      const bytes = await this.#next();
      if (bytes === undefined) break;
      // A copy: the source may be done with it when it is asked for the next.
      this.#head.push(new Uint8Array(bytes));
      size += bytes.length;
    }
    return Buffer.concat(this.#head);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield* this.#head.splice(0);
    for (let bytes = await this.#next(); bytes !== undefined; bytes = await this.#next()) yield bytes;
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      return done === true ? undefined : value;
    } catch (error) {
      this.error = error ?? new Error("the archive could not be read");
      throw error;
    }
  }
}

/** Bytes at hand as a stream. */
export async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
