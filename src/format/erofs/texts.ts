const PAGE_BITS = 18;
const PAGE = 1 << PAGE_BITS;
const PAGE_MASK = PAGE - 1;
const LENGTH = 2;

// Whoever knew these could choose names that all have one hash.
const SEED = Math.floor(Math.random() * 2 ** 32);
const FACTOR = Math.floor(Math.random() * 2 ** 32) | 1;

/** A hash that goes on with another number; different in every process. */
export const mix = (hash: number, value: number): number => {
  const mixed = Math.imul(hash ^ value ^ SEED, FACTOR);
  return mixed ^ (mixed >>> 15);
};

export const hashOfText = (hash: number, text: string): number => {
  let mixed = hash;
  for (let at = 0; at < text.length; at++) mixed = mix(mixed, text.charCodeAt(at));
  return mixed;
};

/** Millions of strings of one character per byte (latin1), each of up to 65,535; one is named by its place. */
export class Texts {
  readonly #pages: Buffer[] = [];
  #used = PAGE;

  add(text: string): number {
    if (this.#used + LENGTH + text.length > PAGE) {
      this.#pages.push(Buffer.alloc(PAGE));
      this.#used = 0;
    }
    const place = (this.#pages.length - 1) * PAGE + this.#used;
    const page = this.#pageOf(place);
    page.writeUInt16LE(text.length, this.#used);
    page.write(text, this.#used + LENGTH, "latin1");
    this.#used += LENGTH + text.length;
    return place;
  }

  lengthOf(place: number): number {
    return this.#pageOf(place).readUInt16LE(place & PAGE_MASK);
  }

  get(place: number): string {
    const start = startOf(place);
    return this.#pageOf(place).toString("latin1", start, start + this.lengthOf(place));
  }

  put(place: number, bytes: Buffer, at: number): void {
    const start = startOf(place);
    this.#pageOf(place).copy(bytes, at, start, start + this.lengthOf(place));
  }

  hashOf(place: number, hash: number): number {
    const page = this.#pageOf(place);
    const end = startOf(place) + this.lengthOf(place);
    let mixed = hash;
    for (let at = startOf(place); at < end; at++) mixed = mix(mixed, page[at]!);
    return mixed;
  }

  is(place: number, text: string): boolean {
    if (this.lengthOf(place) !== text.length) return false;
    const page = this.#pageOf(place);
    const start = startOf(place);
    for (let at = 0; at < text.length; at++) if (page[start + at] !== text.charCodeAt(at)) return false;
    return true;
  }

  /** Below, above or equal to zero, as the bytes of the one sort before, after or with those of the other. */
  compare(one: number, other: number): number {
    const pageOfOne = this.#pageOf(one);
    const pageOfOther = this.#pageOf(other);
    const startOfOne = startOf(one);
    const startOfOther = startOf(other);
    const lengthOfOne = this.lengthOf(one);
    const lengthOfOther = this.lengthOf(other);
    const length = Math.min(lengthOfOne, lengthOfOther);
    for (let at = 0; at < length; at++) {
      const difference = pageOfOne[startOfOne + at]! - pageOfOther[startOfOther + at]!;
      if (difference !== 0) return difference;
    }
    return lengthOfOne - lengthOfOther;
  }

  #pageOf(place: number): Buffer {
    return this.#pages[place >>> PAGE_BITS]!;
  }
}

const startOf = (place: number): number => (place & PAGE_MASK) + LENGTH;
