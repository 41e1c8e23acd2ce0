/** Whether and when a container that has ended is started again (moby, restartmanager). Pure. */
import type { HostConfig } from "../api/types.ts";
import { containerError } from "./errors.ts";
import type { ContainerRecord } from "./record.ts";
import type { RestartPolicy } from "./request.ts";

const names = ["always", "unless-stopped", "on-failure"] as const;

/** Throws what dockerd says of a policy that makes no sense; undefined for none. */
export const parseRestartPolicy = (asked: HostConfig["RestartPolicy"]): RestartPolicy | undefined => {
  const { Name: name = "", MaximumRetryCount: most = 0 } = asked ?? {};
  const refuse = (problem: string) => containerError("invalidRestartPolicy", { problem });
  if (name !== "on-failure" && most !== 0) {
    const negative = most < 0 ? " and cannot be negative" : "";
    throw refuse(`maximum retry count can only be used with 'on-failure'${negative}`);
  }
  if (most < 0) throw refuse("maximum retry count cannot be negative");
  if (name === "" || name === "no") return undefined;
  const known = names.find((one) => one === name);
  if (known === undefined) {
    throw refuse(`unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
  }
  return { name: known, most };
};

/** Milliseconds. */
const shortest = 100;
const longest = 60_000;
/** Who ran for so long has come up: its next failure is its first. */
const good = 10_000;

/** Milliseconds to wait before what has ended is started again; `last` is how long it was the time before. */
export const nextWait = (last: number | undefined, ranFor: number): number =>
  last === undefined || ranFor >= good ? shortest : Math.min(Math.max(last, shortest) * 2, longest);

/** How long to wait before the next start (milliseconds); undefined when there is none. */
export const nextRestart = (
  { request, restarts, backOff, stopped }: ContainerRecord,
  exitCode: number,
  ranFor: number,
): number | undefined => {
  if (stopped || request.restart === undefined) return undefined;
  const { name, most } = request.restart;
  if (name === "on-failure" && (exitCode === 0 || (most > 0 && restarts >= most))) return undefined;
  return nextWait(backOff, ranFor);
};

/** Whether a new daemon starts a container that stands still. */
export const startsWithDaemon = ({ request, state, removing }: ContainerRecord): boolean =>
  state.status === "exited" && removing === undefined && request.restart?.name === "always";
