/** A container's state as Docker shows it. */
import type { ContainerStateAnswer, HealthAnswer } from "../../api/answers/containers.ts";
import type { Health } from "../../container/health.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { type ContainerState, isUp, type Running, wordOf } from "../../container/state.ts";
import { formatDuration, formatTime } from "./time.ts";

type Subject = Pick<ContainerRecord, "state" | "health">;

export const stateAnswer = ({ state, health }: Subject): ContainerStateAnswer => ({
  Status: wordOf(state),
  // Docker counts who is about to run again as running.
  Running: isUp(state),
  Paused: wordOf(state) === "paused",
  Restarting: state.status === "restarting",
  OOMKilled: ranOutOfMemory(state),
  Dead: false,
  Pid: state.status === "running" ? state.pid : 0,
  ExitCode: exitCodeOf(state),
  Error: state.status === "running" ? "" : (state.error ?? ""),
  StartedAt: formatTime(state.status === "created" ? undefined : state.startedAt),
  FinishedAt: formatTime("finishedAt" in state ? state.finishedAt : undefined),
  ...(health === undefined ? {} : { Health: healthAnswer(health) }),
});

const healthAnswer = ({ status, failingStreak, log }: Health): HealthAnswer => ({
  Status: status,
  FailingStreak: failingStreak,
  Log: log.map(({ start, end, exitCode, output }) => ({
    Start: formatTime(start),
    End: formatTime(end),
    ExitCode: exitCode,
    Output: output,
  })),
});

const ranOutOfMemory = (state: ContainerState): boolean =>
  "oomKilled" in state ? state.oomKilled : state.status === "running" && (state.ooms ?? 0) > 0;

export const exitCodeOf = (state: ContainerState): number => (state.status === "running" ? 0 : (state.exitCode ?? 0));

const remark = ({ paused }: Running, health: Health | undefined): string => {
  if (paused) return " (Paused)";
  if (health === undefined) return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
};

/** `Up 3 minutes`, `Exited (1) 2 hours ago`, `Created`. */
export const statusText = ({ state, health }: Subject, now: number): string => {
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${formatDuration(now - state.startedAt)}${remark(state, health)}`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${formatDuration(now - state.finishedAt)} ago`;
    case "exited":
      return `Exited (${state.exitCode}) ${formatDuration(now - state.finishedAt)} ago`;
  }
};
