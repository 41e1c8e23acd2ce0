/** Archives as builds are given them: also those that are compressed in ways for which the host has programs, and we have none. */
import { errnoOf } from "../base/errors.ts";
import { decompress } from "../format/compression.ts";
import { buildError } from "./errors.ts";
import { programOutput } from "./program.ts";

/** As much memory as xz -9 needs, and some more; what asks for all of it is refused. */
const xzArgs = ["--decompress", "--stdout", "--memlimit-decompress=1GiB"];
const bzip2Args = ["--decompress", "--stdout"];

/** The plain bytes of a stream that is plain, or compressed with gzip, zstd, xz or bzip2. */
export const decompressAny = (source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> =>
  decompress(source, {
    others: {
      xz: (whole) => unpacked("xz", xzArgs, whole, signal),
      bzip2: (whole) => unpacked("bzip2", bzip2Args, whole, signal),
    },
  });

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
