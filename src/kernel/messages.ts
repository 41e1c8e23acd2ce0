/**
 * What the daemon and a keeper say to each other: frames of `u32 type, u32 length, payload`, little-endian, on the
 * socket inherited as descriptor 3 and on every connection to the control socket. `docs/formats/plan.md` has the whole.
 */
export const protocolVersion = 3;

/** From the keeper. */
export const keeperSays = {
  /** First on every connection: u32 version, u32 phase, u32 pid, u32 zero, u64 start time of the pid. */
  hello: 1,
  /** The container waits at its commit point: u32 pid, u32 zero, u64 start time (clock ticks since boot). */
  created: 2,
  /** The program runs. */
  started: 3,
  /** A step failed: u32 lane, u32 index in it, i32 error number. The keeper undoes what it did and leaves. */
  failed: 4,
  /** The container has ended: i32 wait status, u32 failed steps of the after lane, u64 nanoseconds since 1970, then the reports of the after lane. */
  exited: 5,
  /** Bytes that a reading step found: its u32 number, then the bytes; several in a row for a large file. */
  bytes: 6,
  /** The connection is a stream from here on: framed output (raw for a terminal) one way, standard input the other. */
  attached: 7,
  /** The last request on this connection was carried out: i32 error number, 0 for success; u32 step that failed (since 2). */
  answer: 8,
  /** Memory ran out in the container's group: u32 how often so far. Said again on every new connection. */
  memory: 9,
} as const;

/** From the daemon. */
export const daemonSays = {
  /** Cross the commit point. */
  start: 16,
  /** Send a signal to the first process: u32 number. Answered. */
  signal: 17,
  /** Change the terminal's size: u32 rows, u32 columns. Answered. */
  resize: 18,
  /** Make this connection a stream: u32 flags of `attachFlags`. */
  attach: 19,
  /** Run the outside lane of the plan's file with `.next` behind its name, which then takes its place. Answered. Since 2. */
  change: 20,
  /** To a keeper that was started ahead of need, and first of all: the path of its plan. */
  plan: 21,
} as const;

export const attachFlags = { stdin: 1, stdout: 2, stderr: 4 } as const;

/** The phases that `hello` tells. */
export const phases = { preparing: 0, created: 1, running: 2, exited: 3 } as const;
