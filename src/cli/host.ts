/** Where the daemon is. */
import { type Address, Client, unixAddress } from "../api/client.ts";
import { cliError } from "./errors.ts";
import type { TlsWords } from "./remote.ts";

/** The default place of sockets and state. */
const RUN = "/run/pier";

export interface Place extends TlsWords {
  readonly host: string | undefined;
  readonly run: string | undefined;
  readonly root: string | undefined;
}

/** The address that flags, then the environment name; undefined: our own default. */
const namedAddress = (place: Place, environment: NodeJS.ProcessEnv): Address | undefined => {
  const docker = place.run || environment.PIER_RUN ? undefined : environment.DOCKER_HOST;
  const host = place.host || environment.PIER_HOST || docker;
  if (!host) return undefined;
  const path = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (path !== undefined) return unixAddress(path);
  if (!host.startsWith("tcp://")) throw cliError("hostInvalid", { host });
  // What it needs of the runtime takes a command milliseconds to load.
  const remote = import("./remote.ts").then(({ remoteAddress }) => remoteAddress(host, place, environment));
  // What is wrong with it is told to who connects.
  remote.catch(() => {});
  return { name: host, connect: async () => (await remote).connect() };
};

/** The client of the daemon that is named, or of our own. Nothing is started for it. */
export const clientOfRunning = (place: Place, environment: NodeJS.ProcessEnv): Client =>
  new Client(namedAddress(place, environment) ?? unixAddress(`${ownRun(place, environment)}/pier.sock`));

/** The client of the daemon that is named, or of our own, which alone is started where none runs. */
export const clientAt = (place: Place, environment: NodeJS.ProcessEnv): Client => {
  const named = namedAddress(place, environment);
  if (named !== undefined) return new Client(named);
  const run = ownRun(place, environment);
  // Not `node:path`, which takes half a millisecond to load.
  const socket = `${run}/pier.sock`;
  return new Client(unixAddress(socket), async () => {
    const { startDaemon } = await import("./daemon-start.ts");
    await startDaemon({ run, root: place.root || environment.PIER_ROOT, socket });
    return true;
  });
};

const ownRun = ({ run }: Place, environment: NodeJS.ProcessEnv): string => run || environment.PIER_RUN || RUN;
