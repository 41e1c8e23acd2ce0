/** Answers that still hold. */
import { aged, isAnybodys, lifetimeOf, type Message, variantOf } from "./message.ts";

const mostAnswers = 4096;
const mostBytes = 8 << 20;

interface Kept {
  readonly answer: Message;
  /** Milliseconds on the clock that only goes forward. */
  readonly since: number;
  readonly until: number;
}

export class AnswerCache {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;
  #bytes = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** An answer to the query with what is left of its time, under the query's number. */
  find(query: Message): Buffer | undefined {
    const key = keyOf(query);
    const kept = isAnybodys(query) ? this.#kept.get(key) : undefined;
    if (kept === undefined) return undefined;
    const now = this.#now();
    if (now >= kept.until) {
      this.#drop(key, kept);
      return undefined;
    }
    return aged(kept.answer, query.id, Math.floor((now - kept.since) / 1000));
  }

  /** Holds afterwards: the answer is kept as long as it says that it may be; the oldest ones make room. */
  keep(query: Message, answer: Message): void {
    const seconds = lifetimeOf(answer);
    if (seconds <= 0 || !isAnybodys(query)) return;
    const key = keyOf(query);
    const before = this.#kept.get(key);
    if (before !== undefined) this.#drop(key, before);
    const now = this.#now();
    this.#kept.set(key, { answer, since: now, until: now + seconds * 1000 });
    this.#bytes += answer.bytes.length;
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size <= mostAnswers && this.#bytes <= mostBytes) break;
      this.#drop(oldest, kept);
    }
  }

  /** The host has other servers now, which may know other things. */
  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  #drop(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#bytes -= kept.answer.bytes.length;
  }
}

const keyOf = (query: Message): string => `${variantOf(query)} ${query.question}`;
