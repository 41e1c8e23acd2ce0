/** What happened lately, in order, for everybody who asks: kept in the database, so that another daemon knows it too. */
import { once } from "node:events";
import { timerFor } from "../base/clock.ts";
import type { Database } from "../base/database.ts";

export interface PierEvent {
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly type: "container" | "image" | "network" | "volume" | "builder" | "daemon";
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Sixteen times as many as dockerd keeps, and not only until it ends: probes of health fill a list quickly. */
const kept = 4096;
/** How many more there may be before the oldest are taken away. */
const slack = 256;
/** A listener that is this far behind is not reading. */
const maxBehind = 10_000;

interface Row {
  /** As text: it has more digits than a double. */
  readonly time: string;
  readonly event: string;
}

export class EventLog {
  readonly #database: Database;
  readonly #listeners = new Set<(event: PierEvent) => void>();
  /** What is not written yet: it is before anybody is answered, and whoever asks for the past has it written. */
  #unwritten: PierEvent[] = [];
  #written = 0;
  #last: bigint;

  /** What earlier daemons have seen is there. */
  constructor(database: Database) {
    database.exec(
      "CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, event TEXT NOT NULL)",
    );
    this.#database = database;
    this.#last = BigInt(
      database.get<{ last: string | null }>("SELECT CAST(MAX(time) AS TEXT) AS last FROM events")?.last ?? 0,
    );
    this.#trim();
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Holds afterwards: everybody who listens has it. No two events have the same time, and none goes back. */
  add(event: PierEvent): void {
    this.#last = event.time > this.#last ? event.time : this.#last + 1n;
    const ordered = { ...event, time: this.#last };
    // One transaction for what happens at once: a container's life is half a dozen of them.
    if (this.#unwritten.push(ordered) === 1) setImmediate(() => this.flush());
    for (const listener of this.#listeners) listener(ordered);
  }

  /** Holds afterwards: the next daemon finds all of them. */
  flush(): void {
    const events = this.#unwritten;
    if (events.length === 0) return;
    this.#unwritten = [];
    this.#database.transaction(() => {
      for (const { time, ...event } of events) {
        this.#database.run("INSERT INTO events (time, event) VALUES (?, ?)", time, JSON.stringify(event));
      }
    });
    this.#written += events.length;
    if (this.#written >= slack) this.#trim();
  }

  #trim(): void {
    this.#written = 0;
    this.#database.run("DELETE FROM events WHERE number <= (SELECT MAX(number) FROM events) - ?", kept);
  }

  #since(time: bigint): PierEvent[] {
    this.flush();
    return this.#database
      .all<Row>("SELECT CAST(time AS TEXT) AS time, event FROM events WHERE time >= ? ORDER BY number", time)
      .map((row) => ({ ...(JSON.parse(row.event) as Omit<PierEvent, "time">), time: BigInt(row.time) }));
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
    const queue = asksForPast ? this.#since(since ?? 0n) : [];
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

/** Who asks for longer than a timer can wait is let go when it is over. */
const timeoutAt = (nanoseconds: bigint): AbortSignal => {
  const milliseconds = Number(nanoseconds / 1_000_000n) - Date.now();
  return milliseconds <= 0 ? AbortSignal.abort() : AbortSignal.timeout(timerFor(milliseconds));
};
