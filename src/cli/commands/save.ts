/** `pier save` */

import { once } from "node:events";
import { createWriteStream, renameSync, rmSync, statSync } from "node:fs";
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { fileFailure } from "../failure.ts";
import { flag } from "../flags.ts";
import { Output } from "../streams/output.ts";
import { outputIsTerminal } from "../streams/terminal.ts";
import { text } from "../values/kinds.ts";
import { encodePlatform } from "../values/platform.ts";
import { checkImage } from "../values/reference.ts";

export const save = command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
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
    const query = { names: positional, platform: encodePlatform(flags.platform) };
    const { body } = await client.send("imageSaveAll", {}, { query });
    if (flags.output === "") await toOutput(body);
    else await toFile(flags.output, body);
  },
});

const toOutput = async (body: AsyncIterable<Buffer>): Promise<void> => {
  const output = new Output(1);
  for await (const chunk of body) if (!output.push(chunk)) await output.calm();
  await output.calm();
};

/** The file is there when all of it is. Of what is no file, a pipe or a device, there is no other name. */
const toFile = async (path: string, body: AsyncIterable<Buffer>): Promise<void> => {
  const found = statSync(path, { throwIfNoEntry: false });
  const target = found === undefined || found.isFile() ? `${path}.${process.pid}.part` : path;
  try {
    const file = createWriteStream(target, { mode: 0o600 });
    await once(file, "open");
    for await (const chunk of body) if (!file.write(chunk)) await once(file, "drain");
    file.end();
    await once(file, "close");
    if (target !== path) renameSync(target, path);
  } catch (cause) {
    if (target !== path) rmSync(target, { force: true });
    throw cause instanceof Error && "syscall" in cause ? fileFailure(path, cause) : cause;
  }
};
