/** The same bytes until `signal` says stop: then the source is closed and its error thrown, also while nothing arrives. */
export async function* abortable(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (signal === undefined) return yield* source;
  signal.throwIfAborted();
  const chunks = source[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<never>();
  // Nobody may be waiting for it when it comes.
  aborted.promise.catch(() => {});
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    for (;;) {
      const { done, value } = await Promise.race([chunks.next(), aborted.promise]);
      if (done === true) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    // A source that waits for bytes that never come would not answer.
    chunks.return?.()?.catch(() => {});
  }
}
