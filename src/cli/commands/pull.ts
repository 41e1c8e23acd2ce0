/** `pier pull` */
import type { ProgressLine } from "../../api/answers/images.ts";
import { jsonLines } from "../../api/client.ts";
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { showProgress } from "../output/progress.ts";
import { authHeaders } from "../registry/auth.ts";
import { print } from "../streams/output.ts";
import { boolean, text } from "../values/kinds.ts";
import { parsePlatform } from "../values/platform.ts";
import { parseReference } from "../values/reference.ts";

export const pull = command({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  flags: {
    "all-platforms": flag(boolean(), "Download the images for all platforms, and keep them side by side"),
    "all-tags": flag(boolean(), "Download all tagged images in the repository", { short: "a" }),
    "disable-content-trust": flag(boolean(true), "Skip image verification"),
    platform: flag(text(), "Set platform if server is multi-platform capable"),
    quiet: flag(boolean(), "Suppress verbose output", { short: "q" }),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const { name, tag, digest } = parseReference(positional[0]!);
    const allTags = flags["all-tags"];
    if (allTags && (tag ?? digest) !== undefined) throw cliError("allTagsWithTag", {});
    if (flags.platform !== "") parsePlatform(flags.platform);
    const wanted = tag ?? (digest === undefined ? "latest" : undefined);
    if (wanted !== undefined && tag === undefined && !allTags && !flags.quiet) print(`Using default tag: ${wanted}\n`);
    const query = {
      fromImage: name,
      tag: allTags ? "" : (digest ?? wanted),
      platform: flags.platform,
      allPlatforms: flags["all-platforms"],
    };
    const headers = await authHeaders(name);
    const { body } = await client.send("imageCreate", {}, { query, headers });
    await showProgress(jsonLines<ProgressLine>(body), { quiet: flags.quiet });
    const ending = digest === undefined ? `:${wanted}` : `@${digest}`;
    print(`${name}${allTags ? "" : ending}\n`);
  },
});
