/** `pier push` */
import type { ProgressLine } from "../../api/answers/images.ts";
import { jsonLines } from "../../api/client.ts";
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { showProgress } from "../output/progress.ts";
import { authHeaders } from "../registry/auth.ts";
import { print } from "../streams/output.ts";
import { boolean, text } from "../values/kinds.ts";
import { encodePlatform } from "../values/platform.ts";
import { familiarName, parseReference } from "../values/reference.ts";

export const push = command({
  usage: "[OPTIONS] NAME[:TAG]",
  flags: {
    "all-platforms": flag(boolean(), "Push the images for all platforms that are here, and the index over them"),
    "all-tags": flag(boolean(), "Push all tags of an image to the repository", { short: "a" }),
    "disable-content-trust": flag(boolean(true), "Skip image signing"),
    platform: flag(
      text(),
      'Push only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: flag(boolean(), "Suppress verbose output", { short: "q" }),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const { name, tag, digest } = parseReference(positional[0]!);
    const allTags = flags["all-tags"];
    if (allTags && (tag ?? digest) !== undefined) throw cliError("allTagsWithTag", {});
    if (digest !== undefined) throw cliError("pushDigest", {});
    const wanted = allTags ? undefined : (tag ?? "latest");
    if (tag === undefined && !allTags && !flags.quiet) print("Using default tag: latest\n");
    const headers = { "X-Registry-Auth": "e30=", ...(await authHeaders(name)) };
    const platform = encodePlatform(flags.platform);
    const query = { tag: wanted, platform, allPlatforms: flags["all-platforms"] };
    const { body } = await client.send("imagePush", { name: familiarName(name) }, { query, headers });
    await showProgress(withoutAux(jsonLines<ProgressLine>(body)), { quiet: flags.quiet });
    if (flags.quiet) print(`${name}${wanted === undefined ? "" : `:${wanted}`}\n`);
  },
});

async function* withoutAux(lines: AsyncIterable<ProgressLine>): AsyncGenerator<ProgressLine> {
  for await (const line of lines) if (line.aux === undefined) yield line;
}
