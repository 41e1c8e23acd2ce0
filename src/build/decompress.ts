/** Archives as builds are given them: also those that are compressed in ways for which the host has programs, and we have none. */
import { errnoOf } from "../base/errors.ts";
import { type Compression, compressionOf, decompress, longestMagic } from "../format/compression.ts";
import { buildError } from "./errors.ts";
import { programOutput } from "./program.ts";

const programs: Partial<Record<Compression, readonly string[]>> = {
  // As much memory as xz -9 needs, and some more; what asks for all of it is refused.
  xz: ["--decompress", "--stdout", "--memlimit-decompress=1GiB"],
  bzip2: ["--decompress", "--stdout"],
};

/** The plain bytes of a stream that is plain, or compressed with gzip, zstd, xz or bzip2. */
export async function* decompressAny(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    const held: Uint8Array[] = [];
    for (let size = 0; size < longestMagic; ) {
      const { done, value } = await chunks.next();
      if (done === true) break;
      held.push(value);
      size += value.length;
    }
    const whole = (async function* () {
      yield* held;
      yield* { [Symbol.asyncIterator]: () => chunks };
    })();
    const name = compressionOf(Buffer.concat(held.slice(0, longestMagic)));
    const args = programs[name];
    yield* args === undefined ? decompress(whole) : unpacked(name, args, whole, signal);
  } finally {
    await chunks.return?.();
  }
}

async function* unpacked(
  name: string,
  args: readonly string[],
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const env = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" };
  const failed = (errors: string): Error =>
    buildError("decompress", {
      format: name,
      reason: errors.replace(/^.*?: (\(stdin\): )?/, "").trim() || "it failed",
    });
  try {
    yield* programOutput({ name, args, env, signal, failed }, source);
  } catch (error) {
    throw errnoOf(error) === "ENOENT" ? buildError("noDecompressor", { format: name }, error) : error;
  }
}
