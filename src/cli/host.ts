/** Where the daemon is. */
import { type Address, Client, unixAddress } from "../api/client.ts";
import { configPath, readConfig } from "./docker-config.ts";
import { cliError } from "./errors.ts";
import { messageOf } from "./failure.ts";
import { parseHost } from "./host-words.ts";
import type { TlsWords } from "./remote.ts";
import { printError } from "./streams/output.ts";

/** The default place of sockets and state. */
const RUN = "/run/pier";

/** What docker calls the context of who has chosen none. */
export const defaultContext = "default";

export interface Place extends TlsWords {
  readonly context: string | undefined;
  readonly host: string | undefined;
  readonly run: string | undefined;
  readonly root: string | undefined;
}

interface Naming {
  /** The flag or the variable of the environment. */
  readonly by: string;
  /** Undefined: the socket in a directory of ours. */
  readonly host: string | undefined;
}

/** Who says where the daemon is, before any context is asked. */
const namingOf = (place: Pick<Place, "host" | "run">, environment: NodeJS.ProcessEnv): Naming | undefined => {
  const { PIER_HOST, PIER_RUN, DOCKER_HOST } = environment;
  if (place.host) return { by: "--host", host: place.host };
  if (PIER_HOST) return { by: "PIER_HOST", host: PIER_HOST };
  if (place.run || PIER_RUN) return { by: place.run ? "--run" : "PIER_RUN", host: undefined };
  if (DOCKER_HOST) return { by: "DOCKER_HOST", host: DOCKER_HOST };
  return undefined;
};

/** The variable that says so, whatever contexts are there. */
export const overridingVariable = (environment: NodeJS.ProcessEnv): string | undefined =>
  namingOf({ host: undefined, run: undefined }, environment)?.by;

/** The name of the context that holds, whether or not there is one: docker's order of who is asked. */
export const contextOf = (place: Place, environment: NodeJS.ProcessEnv): string => {
  if (place.context && place.host) throw cliError("hostAndContext", {});
  if (place.context) return place.context;
  if (namingOf(place, environment) !== undefined) return defaultContext;
  return environment.DOCKER_CONTEXT || chosenContext(environment) || defaultContext;
};

/** As docker: settings that nobody can read are told of, and hold nobody up. */
const chosenContext = (environment: NodeJS.ProcessEnv): string | undefined => {
  try {
    return readConfig(configPath(environment)).currentContext;
  } catch (error) {
    printError(`WARNING: Error loading config file: ${messageOf(error)}\n`);
    return undefined;
  }
};

/** The host that the default context stands for. */
export const defaultHost = (place: Place, environment: NodeJS.ProcessEnv): string =>
  namingOf(place, environment)?.host ?? `unix://${ownSocket(place, environment)}`;

/** The address that somebody has named; undefined: our own default. */
const namedAddress = (place: Place, environment: NodeJS.ProcessEnv): Address | undefined => {
  const context = contextOf(place, environment);
  if (context !== defaultContext) return addressOfContext(context);
  const host = namingOf(place, environment)?.host;
  if (host === undefined) return undefined;
  const named = parseHost(host);
  if (named.kind === "socket") return unixAddress(named.path);
  return foundLater(host, async () => {
    const { remoteAddress, tlsOf } = await import("./remote.ts");
    return remoteAddress(host, named, tlsOf(place, environment));
  });
};

const addressOfContext = (name: string): Address =>
  foundLater(name, async () => (await import("./contexts/address.ts")).contextAddress(name));

/** What it needs of the runtime takes a command milliseconds to load, and what is wrong with it is told to who connects. */
const foundLater = (name: string, find: () => Promise<Address>): Address => {
  let found: Address | undefined;
  return {
    get name() {
      return found?.name ?? name;
    },
    connect: async () => {
      found ??= await find();
      return await found.connect();
    },
  };
};

/** The client of the daemon that is named, or of our own. Nothing is started for it. */
export const clientOfRunning = (place: Place, environment: NodeJS.ProcessEnv): Client =>
  new Client(namedAddress(place, environment) ?? unixAddress(ownSocket(place, environment)));

/** The client of the daemon that is named, or of our own, which alone is started where none runs. */
export const clientAt = (place: Place, environment: NodeJS.ProcessEnv): Client => {
  const named = namedAddress(place, environment);
  if (named !== undefined) return new Client(named);
  const run = ownRun(place, environment);
  const socket = ownSocket(place, environment);
  return new Client(unixAddress(socket), async () => {
    const { startDaemon } = await import("./daemon-start.ts");
    await startDaemon({ run, root: place.root || environment.PIER_ROOT, socket });
    return true;
  });
};

const ownRun = ({ run }: Place, environment: NodeJS.ProcessEnv): string => run || environment.PIER_RUN || RUN;
// Not `node:path`, which takes half a millisecond to load.
const ownSocket = (place: Place, environment: NodeJS.ProcessEnv): string => `${ownRun(place, environment)}/pier.sock`;
