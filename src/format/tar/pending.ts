import { formatError } from "../errors.ts";
import type { TarLimits } from "./limits.ts";
import { type PaxRecord, parsePax } from "./pax.ts";

/** What headers in front of an entry say of it. */
export interface Announced {
  /** The global records first, so that an entry's own come later and win. */
  readonly records: readonly PaxRecord[];
  /** GNU's long name and target, which are stronger than a record. */
  readonly longPath: Uint8Array | undefined;
  readonly longLink: Uint8Array | undefined;
}

/** PAX headers, `g` for all entries that follow, `x` (Sun's: `X`) for the next one, and GNU's long names `L` and `K`. */
const specialTypes = "gxXLK";

export const isSpecial = (typeflag: string): boolean => specialTypes.includes(typeflag);

const untilNul = (bytes: Uint8Array): Uint8Array => {
  const nul = bytes.indexOf(0);
  return nul === -1 ? bytes : bytes.slice(0, nul);
};

/** Gathers the headers that stand before an entry. */
export class PendingHeaders {
  readonly #limits: TarLimits;
  #globals: readonly PaxRecord[] = [];
  #locals: readonly PaxRecord[] = [];
  #longPath: Uint8Array | undefined;
  #longLink: Uint8Array | undefined;
  #bytes = 0;

  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** True when something was said of an entry that has not come. */
  get areWaiting(): boolean {
    return this.#locals.length > 0 || this.#longPath !== undefined || this.#longLink !== undefined;
  }

  /** Counts header bytes of the entry to come, before they are read. */
  charge(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.headerBytes) throw this.#tooMuch("bytes of headers for one entry");
  }

  /** Takes the body of a special header; false when it is malformed. */
  add(typeflag: string, body: Uint8Array): boolean {
    if (typeflag === "L") this.#longPath = untilNul(body);
    else if (typeflag === "K") this.#longLink = untilNul(body);
    else {
      const records = parsePax(body);
      if (records === undefined) return false;
      if (typeflag === "g") {
        this.#addGlobals(records);
        this.settle();
      } else this.#locals = records;
    }
    return true;
  }

  /** What was said of the entry that now comes; of the next one nothing is said yet. */
  take(): Announced {
    const records = this.#globals.length === 0 ? this.#locals : [...this.#globals, ...this.#locals];
    const announced = { records, longPath: this.#longPath, longLink: this.#longLink };
    this.#locals = [];
    this.#longPath = undefined;
    this.#longLink = undefined;
    return announced;
  }

  /** The entry's headers, its sparse map among them, are complete: counting begins anew. */
  settle(): void {
    this.#bytes = 0;
  }

  /** Globals count by what is kept of them. */
  #addGlobals(records: readonly PaxRecord[]): void {
    const merged = new Map<string, PaxRecord>();
    for (const record of [...this.#globals, ...records]) merged.set(record[0], record);
    this.#globals = [...merged.values()].filter(([, value]) => value.length > 0);
    const bytes = this.#globals.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    if (bytes > this.#limits.headerBytes) throw this.#tooMuch("bytes of global headers");
  }

  #tooMuch(what: string): Error {
    return formatError("tarLimit", { what: `more ${what}`, limit: this.#limits.headerBytes });
  }
}
