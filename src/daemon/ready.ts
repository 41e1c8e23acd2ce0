/** Telling whoever started the daemon that it serves: a command of ours by a pipe, systemd by its own program. */
import { spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import type { Log } from "./log.ts";

/** From now on clients are served. */
export const tellReady = (log: Log, environment: NodeJS.ProcessEnv): void => {
  tellCommand(Number(environment.PIER_READY_FD || Number.NaN));
  if (environment.NOTIFY_SOCKET) tellSystemd(log);
};

const tellCommand = (descriptor: number): void => {
  if (!Number.isSafeInteger(descriptor) || descriptor < 3) return;
  writeSync(descriptor, "ready\n");
  closeSync(descriptor);
};

/** A datagram, which `node:` cannot send. systemd-notify sends it as if it came from its parent, which is the service's main process. */
const tellSystemd = (log: Log): void => {
  const child = spawn("systemd-notify", ["--ready"], { stdio: "ignore" });
  child.on("error", (error) => log.error("systemd was not told that clients are served", error));
  child.on("exit", (code) => {
    if (code !== 0) log.error(`systemd was not told that clients are served: systemd-notify ended with ${code}`);
  });
};
