/** Standard input, read past the runtime's stream, which takes 9 ms to come up. */
import { errnoOf } from "../../base/errors.ts";
import { files } from "../../base/files.ts";

const SIZE = 64 * 1024;

const readOnce = (buffer: Buffer): Promise<number> =>
  new Promise((resolve, reject) =>
    files().read(0, buffer, 0, buffer.length, null, (error, count) => (error ? reject(error) : resolve(count))),
  );

/** Standard input as it comes. Errors end it like its end does: a container's input cannot fail. */
export async function* readInput(): AsyncGenerator<Buffer> {
  for (;;) {
    const buffer = Buffer.allocUnsafeSlow(SIZE);
    let count: number;
    try {
      count = await readOnce(buffer);
    } catch (error) {
      // Somebody made the descriptor one that does not block: the runtime's own stream knows how to wait for it.
      if (errnoOf(error) === "EAGAIN") yield* process.stdin;
      return;
    }
    if (count === 0) return;
    yield buffer.subarray(0, count);
  }
}
