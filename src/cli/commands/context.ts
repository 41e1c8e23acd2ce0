/** `pier context create`, `update`, `use`, `show`, `rm`. */

import { command } from "../command.ts";
import { type EndpointWords, endpointWords, readEndpoint } from "../contexts/endpoint.ts";
import { Known } from "../contexts/known.ts";
import {
  type Certificates,
  type Context,
  checkName,
  DOCKER,
  hasContext,
  removeContext,
  writeContext,
} from "../contexts/store.ts";
import { readConfig, writeConfig } from "../docker-config.ts";
import { cliError } from "../errors.ts";
import { Failure, messageOf } from "../failure.ts";
import { flag } from "../flags.ts";
import { contextOf, defaultContext, overridingVariable } from "../host.ts";
import { print, printError } from "../streams/output.ts";
import { boolean, text } from "../values/kinds.ts";
import { quote } from "../values/quote.ts";

const descriptionFlag = flag(text(), "Description of the context");
const dockerFlag = flag(endpointWords, "set the docker endpoint");

/** Throws for a name that a new context cannot have. */
export const checkNewName = (name: string): void => {
  checkName(name);
  if (hasContext(name)) throw cliError("contextExists", { name });
};

const tell = (name: string, done: string): void => {
  print(`${name}\n`);
  printError(`Successfully ${done} context ${quote(name)}\n`);
};

export const contextCreate = command({
  usage: "[OPTIONS] CONTEXT",
  flags: {
    description: descriptionFlag,
    docker: dockerFlag,
    from: flag(text(), "create context from a named context"),
  },
  least: 1,
  most: 1,
  run: async ({ values: { description, docker, from }, given, positional, place }) => {
    const name = positional[0]!;
    checkNewName(name);
    const known = new Known(place);
    const isCopy = from !== "" || !given.has("docker");
    if (from !== "" && Object.keys(docker).length > 0) throw cliError("contextCopyWithEndpoint", {});
    const [context, certificates] = isCopy
      ? copyOf(from === "" ? contextOf(place, process.env) : from, known)
      : newContext(docker, known);
    writeContext({ ...context, Name: name, Metadata: described(context, description) }, certificates);
    tell(name, "created");
  },
});

type Stored = readonly [context: Context, certificates: Certificates];

const copyOf = (name: string, known: Known): Stored => [known.get(name), known.certificates(name)];

const newContext = (words: EndpointWords, known: Known): Stored => {
  const { endpoint, files } = readEndpoint(words, known);
  return [{ Name: "", Metadata: {}, Endpoints: { [DOCKER]: endpoint } }, { [DOCKER]: files }];
};

const described = ({ Metadata }: Context, description: string): Context["Metadata"] =>
  description === "" ? Metadata : { ...Metadata, Description: description };

export const contextUpdate = command({
  usage: "[OPTIONS] CONTEXT",
  flags: { description: descriptionFlag, docker: dockerFlag },
  least: 1,
  most: 1,
  run: async ({ values: { description, docker }, given, positional, place }) => {
    const name = positional[0]!;
    checkName(name);
    const known = new Known(place);
    const before = known.get(name);
    const [changed, certificates]: Stored = given.has("docker") ? newContext(docker, known) : [before, {}];
    const Endpoints = { ...before.Endpoints, ...changed.Endpoints };
    writeContext({ ...before, Metadata: described(before, description), Endpoints }, certificates);
    tell(name, "updated");
  },
});

export const contextUse = command({
  usage: "CONTEXT",
  flags: {},
  least: 1,
  most: 1,
  run: async ({ positional, place }) => {
    const name = positional[0]!;
    if (name !== defaultContext) {
      checkName(name);
      new Known(place).get(name);
    }
    choose(name);
    print(`${name}\n`);
    printError(`Current context is now ${quote(name)}\n`);
    const over = overridingVariable(process.env);
    if (name !== defaultContext && over !== undefined) {
      printError(
        `Warning: ${over} environment variable overrides the active context. To use ${quote(name)}, either set the global --context flag, or unset ${over} environment variable.\n`,
      );
    }
  },
});

/** Holds afterwards: both commands use this context where nothing else is said. */
const choose = (name: string): void => {
  const { currentContext = "", ...config } = readConfig();
  const chosen = name === defaultContext ? "" : name;
  if (chosen === currentContext) return;
  writeConfig(chosen === "" ? config : { ...config, currentContext: chosen });
};

export const contextShow = command({
  usage: "",
  flags: {},
  least: 0,
  most: 0,
  run: async ({ place }) => {
    print(`${contextOf(place, process.env)}\n`);
  },
});

export const contextRm = command({
  usage: "CONTEXT [CONTEXT...]",
  flags: { force: flag(boolean(), "Force the removal of a context in use", { short: "f" }) },
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: { force }, positional, place }) => {
    const current = contextOf(place, process.env);
    const failures: string[] = [];
    for (const name of positional) {
      try {
        remove(name, name === current, force);
        print(`${name}\n`);
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    if (failures.length > 0) throw new Failure(failures.join("\n"));
  },
});

const remove = (name: string, isCurrent: boolean, force: boolean): void => {
  if (name === defaultContext) throw cliError("contextKept", {});
  if (isCurrent && !force) throw cliError("contextInUse", { name });
  if (!force && !hasContext(name)) throw cliError("contextAbsent", { name });
  if (isCurrent) choose(defaultContext);
  removeContext(name);
};
