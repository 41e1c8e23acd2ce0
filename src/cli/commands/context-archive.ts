/** `pier context export`, `pier context import`. */
import { createReadStream, existsSync } from "node:fs";
import { command } from "../command.ts";
import { packContext, unpackContext } from "../contexts/archive.ts";
import { Known } from "../contexts/known.ts";
import { checkName, writeContext } from "../contexts/store.ts";
import { cliError } from "../errors.ts";
import { fileFailure } from "../failure.ts";
import { defaultContext } from "../host.ts";
import { readInput } from "../streams/input.ts";
import { print, printError } from "../streams/output.ts";
import { saveTo } from "../streams/save.ts";
import { outputIsTerminal } from "../streams/terminal.ts";
import { quote } from "../values/quote.ts";
import { checkNewName } from "./context.ts";

export const contextExport = command({
  usage: "[OPTIONS] CONTEXT [FILE|-]",
  flags: {},
  least: 1,
  most: 2,
  run: async ({ positional, place }) => {
    const [name = "", path = `${name}.dockercontext`] = positional;
    if (name !== defaultContext) checkName(name);
    const known = new Known(place);
    const archive = packContext(known.get(name), known.certificates(name));
    if (path === "-") {
      if (outputIsTerminal()) throw cliError("exportToTerminal", {});
      await saveTo("", archive);
      return;
    }
    if (existsSync(path)) throw fileFailure(path, { code: "EEXIST" });
    await saveTo(path, archive);
    printError(`Written file ${quote(path)}\n`);
  },
});

export const contextImport = command({
  usage: "CONTEXT FILE|-",
  flags: {},
  least: 2,
  most: 2,
  run: async ({ positional }) => {
    const [name = "", path = ""] = positional;
    checkNewName(name);
    const { context, certificates } = await unpackContext(path === "-" ? readInput() : readFile(path));
    writeContext({ ...context, Name: name }, certificates);
    print(`${name}\n`);
    printError(`Successfully imported context ${quote(name)}\n`);
  },
});

async function* readFile(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path);
  } catch (cause) {
    throw fileFailure(path, cause);
  }
}
