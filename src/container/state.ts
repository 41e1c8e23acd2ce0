/** The states of a container and of an exec session: unions, so that no two facts can contradict each other. */

export interface Created {
  readonly status: "created";
  /** Why the last start failed, if one did, and the code that clients are told (125, 126 or 127). */
  readonly error?: string;
  readonly exitCode?: number;
}

export type Pause = "until told" | "for a while";

export interface Running {
  readonly status: "running";
  /** The pid of the container's first process, as the host counts. */
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** How often memory ran out, as far as was told. */
  readonly ooms?: number;
  /** All of its processes stand still: until it is told to go on, or until what is done meanwhile is done. */
  readonly paused?: Pause;
}

export interface Exited {
  readonly status: "exited";
  /** 0 to 255; 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** The most memory that it had at a time (bytes), where the kernel counts it. */
  readonly peak?: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly error?: string;
}

/** It has ended, and will be started again by us. */
export interface Restarting extends Omit<Exited, "status"> {
  readonly status: "restarting";
}

export type ContainerState = Created | Running | Exited | Restarting;

/** Counts as running for whoever lists, stops or removes it: also between two runs. */
export const isUp = ({ status }: ContainerState): boolean => status === "running" || status === "restarting";

/** One word, as Docker has it. */
export const wordOf = (state: ContainerState): "created" | "running" | "paused" | "restarting" | "exited" =>
  state.status === "running" && state.paused ? "paused" : state.status;

export type ExecState =
  | { readonly status: "created" }
  | { readonly status: "running"; readonly pid: number }
  | { readonly status: "exited"; readonly exitCode: number };

/** The exit code that a shell would show for a wait status (man 2 wait): 128 + n for signal n. */
export const exitCodeOf = (waitStatus: number): number => {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
};
