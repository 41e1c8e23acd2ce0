/** Time as a value, so that tests can stop it. */
export interface Clock {
  /** The time of day, milliseconds since 1970. */
  now(): number;
  /** Milliseconds that never jump: for timeouts and durations. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
