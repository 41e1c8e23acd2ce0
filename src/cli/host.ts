/** Where the daemon is. */
import { Client } from "../api/client.ts";
import { cliError } from "./errors.ts";

/** The default place of sockets and state. */
const RUN = "/run/pier";

export interface Place {
  readonly host: string | undefined;
  readonly run: string | undefined;
  readonly root: string | undefined;
}

const socketOf = (host: string): string => {
  const path = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (path === undefined) throw cliError("hostInvalid", { host });
  return path;
};

/** The client of the daemon that flags, then the environment, then the default name; only our own default is started. */
export const clientAt = ({ host, run, root }: Place, environment: NodeJS.ProcessEnv): Client => {
  const named = host || environment.PIER_HOST;
  if (named) return new Client(socketOf(named));
  const docker = environment.DOCKER_HOST ?? "";
  const ownRun = run || environment.PIER_RUN;
  if (!ownRun && docker.startsWith("unix://")) return new Client(socketOf(docker));
  const directory = ownRun || RUN;
  // Not `node:path`, which takes half a millisecond to load.
  const socket = `${directory}/pier.sock`;
  return new Client(socket, async () => {
    const { startDaemon } = await import("./daemon-start.ts");
    await startDaemon({ run: directory, root: root || environment.PIER_ROOT, socket });
    return true;
  });
};
