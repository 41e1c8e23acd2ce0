/** `pier export` */
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { saveTo } from "../streams/save.ts";
import { outputIsTerminal } from "../streams/terminal.ts";
import { text } from "../values/kinds.ts";

export const exportContainer = command({
  usage: "[OPTIONS] CONTAINER",
  flags: { output: flag(text(), "Write to a file, instead of STDOUT", { short: "o" }) },
  least: 1,
  most: 1,
  run: async ({ values: { output }, positional: [id = ""], client }) => {
    if (output === "" && outputIsTerminal()) throw cliError("outputIsTerminal", {});
    const { body } = await client.send("containerExport", { id });
    await saveTo(output, body);
  },
});
