/** Memory for millions of small things: no object for any of them, and growing copies nothing. */

const PAGE_BITS = 12;
const PAGE_MASK = (1 << PAGE_BITS) - 1;

/** Rows of so many 32-bit numbers, all zero at first; a row is named by its number, from 0. */
export class Rows {
  readonly #width: number;
  readonly #pages: Uint32Array[] = [];
  #count = 0;

  constructor(width: number) {
    this.#width = width;
  }

  get count(): number {
    return this.#count;
  }

  add(): number {
    if ((this.#count & PAGE_MASK) === 0) this.#pages.push(new Uint32Array(this.#width << PAGE_BITS));
    return this.#count++;
  }

  get(row: number, field: number): number {
    return this.#pages[row >>> PAGE_BITS]![(row & PAGE_MASK) * this.#width + field]!;
  }

  set(row: number, field: number, value: number): void {
    this.#pages[row >>> PAGE_BITS]![(row & PAGE_MASK) * this.#width + field] = value;
  }
}

/** Finds rows by a hash of what is in them. Rows of one hash are chained by a field of theirs; row 0 is in no chain. */
export class RowIndex {
  readonly #rows: Rows;
  readonly #chain: number;
  readonly #hashOf: (row: number) => number;
  #heads = new Uint32Array(256);
  #count = 0;

  constructor(rows: Rows, chain: number, hashOf: (row: number) => number) {
    this.#rows = rows;
    this.#chain = chain;
    this.#hashOf = hashOf;
  }

  /** The youngest row that may have this hash, or 0; `after` goes on to older ones. */
  first(hash: number): number {
    return this.#heads[hash & (this.#heads.length - 1)]!;
  }

  after(row: number): number {
    return this.#rows.get(row, this.#chain);
  }

  add(row: number): void {
    if (++this.#count > this.#heads.length) this.#grow();
    this.#link(row);
  }

  #link(row: number): void {
    const head = this.#hashOf(row) & (this.#heads.length - 1);
    this.#rows.set(row, this.#chain, this.#heads[head]!);
    this.#heads[head] = row;
  }

  /** Each chain is turned around and dealt out again, so that younger rows stay in front of older ones. */
  #grow(): void {
    const before = this.#heads;
    this.#heads = new Uint32Array(before.length * 4);
    for (const head of before) {
      let reversed = 0;
      for (let row = head; row !== 0; ) {
        const next = this.after(row);
        this.#rows.set(row, this.#chain, reversed);
        reversed = row;
        row = next;
      }
      for (let row = reversed; row !== 0; ) {
        const next = this.after(row);
        this.#link(row);
        row = next;
      }
    }
  }
}
