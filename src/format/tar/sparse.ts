import type { TarExtent } from "./entry.ts";
import { latin1, parseDecimal, parseNumeric } from "./numbers.ts";

/** A run of data in a sparse file: where in the file, how long. The runs lie one behind the other in the archive. */
export interface SparseRun {
  readonly logical: number;
  readonly length: number;
}

/** Where each run lies in the tar, or undefined when the map contradicts itself, the file's size or the stored bytes. */
export const placeRuns = (
  runs: readonly SparseRun[],
  size: number,
  offset: number,
  stored: number,
): TarExtent[] | undefined => {
  const extents: TarExtent[] = [];
  let end = 0;
  let used = 0;
  for (const { logical, length } of runs) {
    if (logical < end || logical + length > size) return undefined;
    if (length > 0) extents.push({ logical, offset: offset + used, length });
    end = logical + length;
    used += length;
  }
  return used === stored ? extents : undefined;
};

const runOf = (logical: number | undefined, length: number | undefined): SparseRun | undefined =>
  logical === undefined || length === undefined ? undefined : { logical, length };

const NUMBER = 12;

/** Old GNU format: up to `count` pairs of 12-byte numbers; an empty pair ends the list. Undefined when one is no number. */
export const parseOldGnuRuns = (block: Uint8Array, start: number, count: number): SparseRun[] | undefined => {
  const runs: SparseRun[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * 2 * NUMBER;
    if (block[at] === 0 || block[at + NUMBER] === 0) break;
    const run = runOf(parseNumeric(block, at, NUMBER), parseNumeric(block, at + NUMBER, NUMBER));
    if (run === undefined || run.logical < 0 || run.length < 0) return undefined;
    runs.push(run);
  }
  return runs;
};

const pairs = (numbers: readonly string[]): SparseRun[] | undefined => {
  if (numbers.length % 2 !== 0) return undefined;
  const runs: SparseRun[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    const run = runOf(parseDecimal(numbers[index]!), parseDecimal(numbers[index + 1]!));
    if (run === undefined) return undefined;
    runs.push(run);
  }
  return runs;
};

/** PAX 0.1: `GNU.sparse.map=offset,length,offset,length…`. */
export const parseRunList = (text: string): SparseRun[] | undefined => (text === "" ? [] : pairs(text.split(",")));

/** PAX 0.0: the values of the repeated records `GNU.sparse.offset` and `GNU.sparse.numbytes`, in turns. */
export const parseRunRecords = (values: readonly string[]): SparseRun[] | undefined => pairs(values);

/**
 * PAX 1.0: the map stands before the data, as lines of decimal numbers (their count first), filled up to a whole block.
 * Blocks are pushed until the answer is no longer undefined.
 */
export class RunBlocks {
  readonly #lines: string[] = [];
  #rest = "";

  push(block: Uint8Array): SparseRun[] | "malformed" | undefined {
    const lines = (this.#rest + latin1(block)).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.#lines.push(line);
    const first = this.#lines[0];
    const count = first === undefined ? undefined : parseDecimal(first);
    if (first !== undefined && count === undefined) return "malformed";
    if (count !== undefined && this.#lines.length > count * 2) {
      return pairs(this.#lines.slice(1, 1 + count * 2)) ?? "malformed";
    }
    // No number has this many digits.
    return this.#rest.length > 2 * NUMBER ? "malformed" : undefined;
  }
}
