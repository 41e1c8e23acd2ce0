/** `pier load` */
import { createReadStream } from "node:fs";
import type { ProgressLine } from "../../api/answers/images.ts";
import { jsonLines } from "../../api/client.ts";
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { fileFailure } from "../failure.ts";
import { flag } from "../flags.ts";
import { printProgress } from "../output/progress.ts";
import { readInput } from "../streams/input.ts";
import { inputIsTerminal, outputIsTerminal } from "../streams/terminal.ts";
import { boolean, text } from "../values/kinds.ts";
import { encodePlatform } from "../values/platform.ts";

/** Bytes that are read from a file at once. */
const CHUNK = 256 * 1024;

export const load = command({
  usage: "[OPTIONS]",
  flags: {
    input: flag(text(), "Read from tar archive file, instead of STDIN", { short: "i" }),
    platform: flag(
      text(),
      'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: flag(boolean(), "Suppress the load output", { short: "q" }),
  },
  least: 0,
  most: 0,
  run: async ({ values: flags, client }) => {
    if (flags.input === "" && inputIsTerminal()) throw cliError("inputIsTerminal", {});
    const data = flags.input === "" ? readInput() : readFile(flags.input);
    const query = {
      quiet: flags.quiet || !outputIsTerminal(),
      platform: encodePlatform(flags.platform),
    };
    const { body } = await client.send("imageLoad", {}, { query, stream: { type: "application/x-tar", data } });
    await printProgress(jsonLines<ProgressLine>(body));
  },
});

/** A file's bytes; throws Go's words for one that cannot be read. */
export async function* readFile(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw fileFailure(path, cause);
  }
}
