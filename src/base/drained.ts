import type { Writable } from "node:stream";

/** To be awaited when a write said false: resolves when there is room again, or the other side has gone. */
export const drained = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    if (stream.destroyed) done();
    else stream.on("drain", done).on("close", done);
  });
