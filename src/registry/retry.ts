/** Trying again what may go better next time: bounded, with pauses that double, and never against a server's wish. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RegistrySettings } from "./settings.ts";

/** Wraps an error that may be gone at the next attempt. */
export class Passing extends Error {
  readonly error: Error;
  /** How long the server asks to be left alone. */
  readonly waitMs: number | undefined;

  constructor(error: Error, waitMs?: number) {
    super(error.message, { cause: error });
    this.error = error;
    this.waitMs = waitMs;
  }
}

/** Nobody waits longer than this for a server that wants it. */
const longestWaitMs = 120_000;

/** `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). */
export const parseRetryAfter = (text: string | undefined, now: number): number | undefined => {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
};

/** Counts attempts; what brought something counts as a new beginning. */
export class Attempts {
  readonly #settings: Pick<RegistrySettings, "attempts" | "pauseMs">;
  readonly #signal: AbortSignal | undefined;
  #failed = 0;

  constructor(settings: Pick<RegistrySettings, "attempts" | "pauseMs">, signal: AbortSignal | undefined) {
    this.#settings = settings;
    this.#signal = signal;
  }

  succeeded(): void {
    this.#failed = 0;
  }

  /** Resolves when it is time for another attempt; throws the error when there is none. */
  async again(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!(error instanceof Passing)) throw error;
    this.#failed++;
    const pause = error.waitMs ?? this.#settings.pauseMs * 2 ** (this.#failed - 1) * (0.75 + Math.random() / 2);
    if (this.#failed >= this.#settings.attempts || pause > longestWaitMs) throw error.error;
    await sleep(pause, undefined, { signal: this.#signal }).catch(() => this.#signal?.throwIfAborted());
  }
}

/** What `work` resolves to, at the latest at its last attempt. */
export const retrying = async <T>(
  settings: Pick<RegistrySettings, "attempts" | "pauseMs">,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> => {
  const attempts = new Attempts(settings, signal);
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      await attempts.again(error);
    }
  }
};
