/** A container's state as Docker shows it. */
import type { ContainerStateAnswer } from "../../api/answers.ts";
import type { ContainerState } from "../../container/state.ts";
import { formatDuration, formatTime } from "./time.ts";

export const stateAnswer = (state: ContainerState): ContainerStateAnswer => ({
  Status: state.status,
  Running: state.status === "running",
  Paused: false,
  Restarting: false,
  OOMKilled: ranOutOfMemory(state),
  Dead: false,
  Pid: state.status === "running" ? state.pid : 0,
  ExitCode: exitCodeOf(state),
  Error: state.status === "running" ? "" : (state.error ?? ""),
  StartedAt: formatTime(state.status === "created" ? undefined : state.startedAt),
  FinishedAt: formatTime(state.status === "exited" ? state.finishedAt : undefined),
});

const ranOutOfMemory = (state: ContainerState): boolean =>
  state.status === "exited" ? state.oomKilled : state.status === "running" && (state.ooms ?? 0) > 0;

export const exitCodeOf = (state: ContainerState): number => (state.status === "running" ? 0 : (state.exitCode ?? 0));

/** `Up 3 minutes`, `Exited (1) 2 hours ago`, `Created`. */
export const statusText = (state: ContainerState, now: number): string => {
  if (state.status === "created") return "Created";
  if (state.status === "running") return `Up ${formatDuration(now - state.startedAt)}`;
  return `Exited (${state.exitCode}) ${formatDuration(now - state.finishedAt)} ago`;
};
