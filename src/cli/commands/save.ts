/** `pier save` */

import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { saveTo } from "../streams/save.ts";
import { outputIsTerminal } from "../streams/terminal.ts";
import { boolean, text } from "../values/kinds.ts";
import { encodePlatform } from "../values/platform.ts";
import { checkImage } from "../values/reference.ts";

export const save = command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    "all-platforms": flag(boolean(), "Save the images for all platforms that are here, and the index over them"),
    output: flag(text(), "Write to a file, instead of STDOUT", { short: "o" }),
    platform: flag(
      text(),
      'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
  },
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: flags, positional, client }) => {
    if (flags.output === "" && outputIsTerminal()) throw cliError("outputIsTerminal", {});
    for (const name of positional) if (!/^[0-9a-f]+$/.test(name)) checkImage(name);
    const query = { names: positional, platform: encodePlatform(flags.platform), allPlatforms: flags["all-platforms"] };
    const { body } = await client.send("imageSaveAll", {}, { query });
    await saveTo(flags.output, body);
  },
});
