/** Starts a daemon where none runs, and waits until it answers. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, watch } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { cliError } from "./errors.ts";
import { Failure } from "./failure.ts";

export interface DaemonPlace {
  readonly run: string;
  readonly root: string | undefined;
  readonly socket: string;
}

/** How long another command's daemon may take to come up, in milliseconds. */
const PATIENCE = 10_000;
/** Bytes of the log's end that are shown when no daemon comes up. */
const SHOWN = 2000;

/** Holds afterwards: a daemon answers on the socket; it lives on when this command ends. */
export const startDaemon = async ({ run, root, socket }: DaemonPlace): Promise<void> => {
  const log = join(run, "daemon.log");
  try {
    mkdirSync(run, { recursive: true, mode: 0o711 });
  } catch (cause) {
    throw cliError("daemonDirectory", { path: run, reason: (cause as Error).message }, cause);
  }
  const ready = await launch(
    [...script(), "daemon", "--run", run, ...(root === undefined ? [] : ["--root", root])],
    log,
  );
  // Of two commands that start a daemon at the same time one is second: its daemon goes, the other's comes up.
  if (ready || (await appears(socket))) return;
  throw new Failure(`${cliError("daemonNotStarted", { log }).message}\n${endOf(log)}`.trimEnd());
};

/** The words between the executable and its own: the script, where a runtime runs one. */
const script = (): string[] => {
  const path = process.argv[1] ?? "";
  // In the compiled executable it is a name in a file system that only the executable sees.
  return path.startsWith("/$bunfs/") || !existsSync(path) ? [] : [path];
};

/** Resolves when the daemon says that it is ready (true), or has ended (false). */
const launch = (words: readonly string[], log: string): Promise<boolean> => {
  const fd = openSync(log, "a", 0o600);
  const child = spawn(process.execPath, words, {
    detached: true,
    cwd: "/",
    stdio: ["ignore", fd, fd, "pipe"],
    env: { ...process.env, PIER_READY_FD: "3" },
  });
  closeSync(fd);
  const pipe = child.stdio[3];
  return new Promise((resolve) => {
    const settle = (ready: boolean): void => {
      child.unref();
      resolve(ready);
    };
    pipe?.once("data", () => settle(true));
    child.once("exit", () => settle(false)).once("error", () => settle(false));
  });
};

const answers = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect({ path: socket });
    probe.once("connect", () => resolve(true)).once("error", () => resolve(false));
    probe.once("connect", () => probe.destroy());
  });

/** Whether somebody answers on the socket, now or when something changes in its directory within our patience. */
const appears = async (socket: string): Promise<boolean> => {
  if (await answers(socket)) return true;
  return await new Promise((resolve) => {
    const watcher = watch(dirname(socket));
    const settle = (found: boolean): void => {
      watcher.close();
      clearTimeout(timer);
      resolve(found);
    };
    const timer = setTimeout(() => settle(false), PATIENCE);
    watcher.on("change", () => void answers(socket).then((found) => found && settle(true)));
  });
};

const endOf = (log: string): string => {
  try {
    return readFileSync(log, "utf8").slice(-SHOWN);
  } catch {
    return "";
  }
};
