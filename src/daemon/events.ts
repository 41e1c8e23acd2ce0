/** What happened lately, in order, for everybody who asks: kept in memory, as in Docker. */
import { once } from "node:events";

export interface PierEvent {
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly type: "container" | "image" | "network" | "volume" | "daemon";
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** As many as dockerd keeps (moby, daemon/events: eventsLimit). */
const kept = 256;
/** A listener that is this far behind is not reading. */
const maxBehind = 10_000;

export class EventLog {
  readonly #past: PierEvent[] = [];
  readonly #listeners = new Set<(event: PierEvent) => void>();
  #last = 0n;

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Holds afterwards: everybody who listens has it. No two events have the same time, and none goes back. */
  add(event: PierEvent): void {
    this.#last = event.time > this.#last ? event.time : this.#last + 1n;
    const ordered = { ...event, time: this.#last };
    this.#past.push(ordered);
    if (this.#past.length > kept) this.#past.shift();
    for (const listener of this.#listeners) listener(ordered);
  }

  /** Adds one that happens now. */
  tell(event: Omit<PierEvent, "time">): void {
    this.add({ ...event, time: BigInt(Date.now()) * 1_000_000n });
  }

  /**
   * What is kept from `since` on, when asked for, and then what comes, until the time `until` or the abort. Nothing is
   * missed between the two; who falls too far behind is cut off rather than told half of it.
   */
  async *read(
    { since, until }: { readonly since: bigint | undefined; readonly until: bigint | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<PierEvent> {
    const asksForPast = since !== undefined || until !== undefined;
    const queue = asksForPast ? this.#past.filter(({ time }) => time >= (since ?? 0n)) : [];
    const wake = new EventTarget();
    const over = until === undefined ? signal : AbortSignal.any([signal, timeoutAt(until)]);
    let isTooFarBehind = false;
    const listener = (event: PierEvent): void => {
      queue.push(event);
      if (queue.length > maxBehind) {
        // Nobody may ever ask for the next one: what waits for it is let go of now.
        isTooFarBehind = true;
        queue.length = 0;
        this.#listeners.delete(listener);
      }
      wake.dispatchEvent(new Event("event"));
    };
    this.#listeners.add(listener);
    try {
      for (;;) {
        if (isTooFarBehind) return;
        const event = queue.shift();
        if (event !== undefined && until !== undefined && event.time > until) return;
        if (event !== undefined) yield event;
        else if (over.aborted) return;
        else await once(wake, "event", { signal: over }).catch(() => {});
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }
}

/** setTimeout takes 31 bits; who asks for longer is let go after three weeks. */
const timeoutAt = (nanoseconds: bigint): AbortSignal => {
  const milliseconds = Number(nanoseconds / 1_000_000n) - Date.now();
  return milliseconds <= 0 ? AbortSignal.abort() : AbortSignal.timeout(Math.min(milliseconds, 2 ** 31 - 1));
};
