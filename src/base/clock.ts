/** Time as a value, so that tests can stop it. */
export interface Clock {
  /** The time of day, milliseconds since 1970. */
  now(): number;
  /** Milliseconds that never jump: for timeouts and durations. */
  monotonic(): number;
}

/** The longest that a timer of the runtime waits (milliseconds, 25 days): one that is told to wait longer does not wait at all. */
const longestTimer = 2 ** 31 - 1;

/** How long a timer is to be told to wait, for a time (milliseconds) that somebody has asked for. */
export const timerFor = (milliseconds: number): number => Math.min(milliseconds, longestTimer);

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
