/** `pier import` */
import type { ProgressLine } from "../../api/answers/images.ts";
import { jsonLines } from "../../api/client.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printProgress } from "../output/progress.ts";
import { readInput } from "../streams/input.ts";
import { text, texts } from "../values/kinds.ts";
import { formatPlatform, parsePlatform } from "../values/platform.ts";
import { parseReference } from "../values/reference.ts";
import { readFile } from "./load.ts";

export const importImage = command({
  usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  flags: {
    change: flag(texts, "Apply Dockerfile instruction to the created image", { short: "c" }),
    message: flag(text(), "Set commit message for imported image", { short: "m" }),
    platform: flag(text(), "Set platform if server is multi-platform capable"),
  },
  least: 1,
  // Docker takes more words, and makes nothing of them.
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: flags, positional, client }) => {
    const [source = "", name = ""] = positional;
    if (name !== "") parseReference(name);
    const remote = /^https?:\/\//.test(source);
    const query = {
      fromSrc: remote ? source : "-",
      repo: name,
      message: flags.message,
      changes: flags.change,
      platform: flags.platform === "" ? "" : formatPlatform(parsePlatform(flags.platform)),
    };
    const data = source === "-" ? readInput() : readFile(source);
    const stream = remote ? {} : { stream: { type: "application/x-tar", data } };
    const { body } = await client.send("imageCreate", {}, { query, ...stream });
    await printProgress(jsonLines<ProgressLine>(body));
  },
});
