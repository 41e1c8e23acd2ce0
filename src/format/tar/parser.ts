import { formatError } from "../errors.ts";
import type { TarEntry, TarExtent } from "./entry.ts";
import { fields, hasChecksum, parseHeader, type RawHeader } from "./header.ts";
import { defaultTarLimits, type TarLimits } from "./limits.ts";
import { draftEntry, type EntryDraft } from "./meta.ts";
import { BLOCK, isZeroBlock, padded, parseNumeric } from "./numbers.ts";
import { isSpecial, PendingHeaders } from "./pending.ts";
import { parseOldGnuRuns, placeRuns, RunBlocks, type SparseRun } from "./sparse.ts";

/** Who listens to a `TarParser`; both are called while `push` runs, so what they throw comes out of `push`. */
export interface TarSink {
  /** A new entry begins; the content of the one before is complete. */
  entry(entry: TarEntry): void;
  /** The next stored bytes of the current entry: a view into the pushed chunk, holes and padding left out. */
  content?(bytes: Uint8Array): void;
}

/** What the parser expects next in the stream. */
type State =
  | { readonly kind: "header" }
  | { readonly kind: "special"; readonly typeflag: string; readonly body: Uint8Array; filled: number }
  | { readonly kind: "old-gnu-map"; readonly draft: EntryDraft; readonly runs: SparseRun[]; readonly size: number }
  | { readonly kind: "run-blocks"; readonly draft: EntryDraft; readonly map: RunBlocks; used: number }
  | { readonly kind: "content"; left: number; readonly padding: number }
  | { readonly kind: "padding"; left: number }
  | { readonly kind: "zero" }
  | { readonly kind: "end" };

type OldGnuMap = Extract<State, { kind: "old-gnu-map" }>;

const HEADER: State = { kind: "header" };
const OLD_GNU_FIRST = 4;
const OLD_GNU_MORE = 21;
const OLD_GNU_MORE_FLAG = OLD_GNU_MORE * 24;

/**
 * Reads a tar stream that somebody else moves: push every chunk in order, then `end`.
 * Content is skipped by counting, so that the same chunks can be hashed and written at full speed.
 * What follows the two zero blocks at the end is ignored, as Docker does.
 */
export class TarParser {
  readonly #sink: TarSink;
  readonly #limits: TarLimits;
  #state: State = HEADER;
  #offset = 0;
  #headerAt = 0;
  #entries = 0;
  /** The block that is being gathered: a copy, so that nothing keeps a pushed chunk alive or sees it reused. */
  readonly #block = new Uint8Array(BLOCK);
  #gathered = 0;
  readonly #pending: PendingHeaders;

  constructor(sink: TarSink, limits: TarLimits = defaultTarLimits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#pending = new PendingHeaders(limits);
  }

  /** Bytes pushed so far. */
  get offset(): number {
    return this.#offset;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) at += this.#take(chunk, at);
  }

  /** Throws when the archive ended too early; afterwards everything that it holds was told. */
  end(): void {
    const { kind } = this.#state;
    const isBetween = kind === "header" || kind === "zero";
    if (kind === "end" || (isBetween && this.#gathered === 0 && !this.#pending.areWaiting)) return;
    throw formatError("tarTruncated", {
      where: kind === "content" || kind === "padding" ? "the content of an entry" : "a header",
    });
  }

  /** Consumes bytes of the chunk from `at`, at least one, and answers how many. */
  #take(chunk: Uint8Array, at: number): number {
    const state = this.#state;
    const available = chunk.length - at;
    switch (state.kind) {
      case "content": {
        const length = Math.min(available, state.left);
        if (this.#sink.content !== undefined) this.#sink.content(chunk.subarray(at, at + length));
        state.left -= length;
        this.#offset += length;
        if (state.left === 0) this.#skip(state.padding);
        return length;
      }
      case "padding": {
        const length = Math.min(available, state.left);
        state.left -= length;
        this.#offset += length;
        if (state.left === 0) this.#state = HEADER;
        return length;
      }
      case "special": {
        const length = Math.min(available, state.body.length - state.filled);
        state.body.set(chunk.subarray(at, at + length), state.filled);
        state.filled += length;
        this.#offset += length;
        if (state.filled === state.body.length) {
          this.#skip(padded(state.filled) - state.filled);
          this.#special(state.typeflag, state.body);
        }
        return length;
      }
      case "end":
        this.#offset += available;
        return available;
      default:
        return this.#takeBlock(chunk, at, available);
    }
  }

  #takeBlock(chunk: Uint8Array, at: number, available: number): number {
    const length = Math.min(available, BLOCK - this.#gathered);
    this.#block.set(chunk.subarray(at, at + length), this.#gathered);
    this.#gathered += length;
    this.#offset += length;
    if (this.#gathered === BLOCK) {
      this.#gathered = 0;
      this.#parseBlock(this.#block);
    }
    return length;
  }

  #parseBlock(block: Uint8Array): void {
    const state = this.#state;
    if (state.kind === "old-gnu-map") this.#oldGnuMap(block, state, 0, OLD_GNU_MORE, block[OLD_GNU_MORE_FLAG]! !== 0);
    else if (state.kind === "run-blocks") this.#runBlock(block, state);
    else this.#header(block);
  }

  #header(block: Uint8Array): void {
    this.#headerAt = this.#offset - BLOCK;
    if (isZeroBlock(block)) {
      if (this.#pending.areWaiting) throw this.#invalid("a PAX or GNU header without its entry");
      this.#state = { kind: this.#state.kind === "zero" ? "end" : "zero" };
      return;
    }
    if (this.#state.kind === "zero") throw this.#invalid("a single zero block in front of it");
    if (!hasChecksum(block)) throw this.#invalid("the checksum is wrong");
    const header = parseHeader(block);
    if (typeof header === "string") throw this.#invalid(`the field ${header} is no number`);
    if (isSpecial(header.typeflag)) this.#beginSpecial(header);
    else this.#beginEntry(header, block);
  }

  #beginSpecial(header: RawHeader): void {
    const { size } = header;
    if (size < 0) throw this.#invalid("the field size is negative");
    this.#pending.charge(size);
    if (size === 0) this.#special(header.typeflag, new Uint8Array());
    else this.#state = { kind: "special", typeflag: header.typeflag, body: new Uint8Array(size), filled: 0 };
  }

  #special(typeflag: string, body: Uint8Array): void {
    if (!this.#pending.add(typeflag, body)) throw this.#invalid("the PAX records are malformed");
  }

  #beginEntry(header: RawHeader, block: Uint8Array): void {
    if (++this.#entries > this.#limits.entries) {
      throw formatError("tarLimit", { what: "more entries", limit: this.#limits.entries });
    }
    const draft = draftEntry(header, this.#pending.take(), this.#headerAt);
    const { path, link } = draft.entry;
    if (path.length > this.#limits.pathBytes || link.length > this.#limits.pathBytes) {
      throw formatError("tarLimit", { what: "a file name too long", limit: this.#limits.pathBytes });
    }
    if (draft.sparse === "none") this.#emitPlain(draft);
    else if (draft.sparse === "old-gnu") this.#beginOldGnu(draft, block);
    else if (draft.sparse === "blocks") {
      this.#state = { kind: "run-blocks", draft, map: new RunBlocks(), used: 0 };
      if (draft.stored < BLOCK) throw this.#invalid("the sparse map is missing");
    } else this.#emitSparse(draft, draft.sparse, draft.stored);
  }

  #beginOldGnu(draft: EntryDraft, block: Uint8Array): void {
    const size = draft.realSize ?? parseNumeric(block, ...fields.gnuRealSize);
    if (size === undefined || size < 0) throw this.#invalid("the field realsize is no number that fits");
    const state: OldGnuMap = { kind: "old-gnu-map", draft, runs: [], size };
    this.#oldGnuMap(block, state, fields.gnuSparse[0], OLD_GNU_FIRST, block[fields.gnuIsExtended[0]] !== 0);
  }

  #oldGnuMap(block: Uint8Array, state: OldGnuMap, start: number, count: number, hasMore: boolean): void {
    const runs = parseOldGnuRuns(block, start, count);
    if (runs === undefined) throw this.#invalid("the sparse map is malformed");
    state.runs.push(...runs);
    this.#pending.charge(BLOCK);
    this.#state = state;
    if (!hasMore) this.#emitSparse({ ...state.draft, realSize: state.size }, state.runs, state.draft.stored);
  }

  #runBlock(block: Uint8Array, state: Extract<State, { kind: "run-blocks" }>): void {
    state.used += BLOCK;
    this.#pending.charge(BLOCK);
    const runs = state.map.push(block);
    if (runs === "malformed" || state.used > state.draft.stored) throw this.#invalid("the sparse map is malformed");
    if (runs !== undefined) this.#emitSparse(state.draft, runs, state.draft.stored - state.used);
  }

  #emitSparse(draft: EntryDraft, runs: readonly SparseRun[], stored: number): void {
    const size = draft.realSize;
    const extents = size === undefined ? undefined : placeRuns(runs, size, this.#offset, stored);
    if (size === undefined || extents === undefined) throw this.#invalid("the sparse map does not fit the file");
    this.#emit(draft, size, extents, stored);
  }

  #emitPlain(draft: EntryDraft): void {
    const { stored } = draft;
    const extents = stored === 0 ? [] : [{ logical: 0, offset: this.#offset, length: stored }];
    this.#emit(draft, stored, extents, stored);
  }

  #emit(draft: EntryDraft, size: number, extents: readonly TarExtent[], stored: number): void {
    this.#pending.settle();
    const padding = padded(stored) - stored;
    this.#state = stored === 0 ? HEADER : { kind: "content", left: stored, padding };
    this.#sink.entry({ ...draft.entry, size, extents });
  }

  #skip(length: number): void {
    this.#state = length === 0 ? HEADER : { kind: "padding", left: length };
  }

  #invalid(reason: string): Error {
    return formatError("tarInvalidHeader", { reason, offset: this.#headerAt });
  }
}
