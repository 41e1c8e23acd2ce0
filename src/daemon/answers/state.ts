/** A container's state as Docker shows it. */
import type { ContainerStateAnswer } from "../../api/answers.ts";
import { type ContainerState, isUp, wordOf } from "../../container/state.ts";
import { formatDuration, formatTime } from "./time.ts";

export const stateAnswer = (state: ContainerState): ContainerStateAnswer => ({
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
});

const ranOutOfMemory = (state: ContainerState): boolean =>
  "oomKilled" in state ? state.oomKilled : state.status === "running" && (state.ooms ?? 0) > 0;

export const exitCodeOf = (state: ContainerState): number => (state.status === "running" ? 0 : (state.exitCode ?? 0));

/** `Up 3 minutes`, `Exited (1) 2 hours ago`, `Created`. */
export const statusText = (state: ContainerState, now: number): string => {
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${formatDuration(now - state.startedAt)}${state.paused ? " (Paused)" : ""}`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${formatDuration(now - state.finishedAt)} ago`;
    case "exited":
      return `Exited (${state.exitCode}) ${formatDuration(now - state.finishedAt)} ago`;
  }
};
