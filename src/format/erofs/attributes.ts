import type { TarTime } from "../tar/entry.ts";
import { fromLatin1, latin1 } from "../tar/numbers.ts";
import { inodeField } from "./format.ts";
import type { Meter } from "./limits.ts";
import { RowIndex, Rows } from "./rows.ts";
import { mix } from "./texts.ts";
import { encodeXattrs, parseXattrs, type Xattrs } from "./xattrs.ts";

/** What an inode has beside its type and content. */
export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TarTime;
  readonly xattrs: Xattrs;
}

const field = { mode: 0, uid: 1, gid: 2, secondsLow: 3, secondsHigh: 4, nanoseconds: 5, xattrs: 6, chain: 7 } as const;
const WIDTH = 8;

/** What a row takes with its part of the hash table. */
const ROW_COST = WIDTH * 4 + 8;
/** What a string takes that is a key as well. */
const STRING_COST = 200;

/** The attributes of a layer, equal ones once: most files of a layer share theirs with many others. */
export class AttributeTable {
  readonly #meter: Meter;
  readonly #rows = new Rows(WIDTH);
  readonly #index = new RowIndex(this.#rows, field.chain, (row) => this.#hashOf(row));
  /** Those that are being looked for. */
  readonly #values = new Uint32Array(field.chain);
  /** As they lie on disk, one character per byte. */
  readonly #xattrs: string[] = [""];
  readonly #xattrNumbers = new Map([["", 0]]);

  constructor(meter: Meter) {
    this.#meter = meter;
    // The first row stands in no chain: all zero, it is what a whiteout has.
    this.#rows.add();
  }

  /** The number of these attributes; 0 is nothing but zeroes. */
  add({ mode, uid, gid, mtime, xattrs }: Attributes): number {
    const seconds = BigInt.asUintN(64, mtime.seconds);
    const values = this.#values;
    values[field.mode] = mode;
    values[field.uid] = uid;
    values[field.gid] = gid;
    values[field.secondsLow] = Number(seconds & 0xffffffffn);
    values[field.secondsHigh] = Number(seconds >> 32n);
    values[field.nanoseconds] = mtime.nanoseconds;
    values[field.xattrs] = this.#addXattrs(xattrs);
    let hash = 0;
    for (let index = 0; index < values.length; index++) hash = mix(hash, values[index]!);
    for (let row = this.#index.first(hash); row !== 0; row = this.#index.after(row)) if (this.#isSame(row)) return row;
    this.#meter.charge(ROW_COST);
    const row = this.#rows.add();
    for (let index = 0; index < values.length; index++) this.#rows.set(row, index, values[index]!);
    this.#index.add(row);
    return row;
  }

  get(row: number): Attributes {
    const get = (name: keyof typeof field): number => this.#rows.get(row, field[name]);
    const seconds = (BigInt(get("secondsHigh")) << 32n) | BigInt(get("secondsLow"));
    return {
      mode: get("mode"),
      uid: get("uid"),
      gid: get("gid"),
      mtime: { seconds: BigInt.asIntN(64, seconds), nanoseconds: get("nanoseconds") },
      xattrs: parseXattrs(fromLatin1(this.encodedXattrs(row)))!,
    };
  }

  /** Writes all but the extended ones into the inode that lies at `at`; the type is there already. */
  put(row: number, bytes: Buffer, at: number): void {
    const get = (name: keyof typeof field): number => this.#rows.get(row, field[name]);
    bytes.writeUInt16LE(bytes.readUInt16LE(at + inodeField.mode) | get("mode"), at + inodeField.mode);
    bytes.writeUInt32LE(get("uid"), at + inodeField.uid);
    bytes.writeUInt32LE(get("gid"), at + inodeField.gid);
    bytes.writeUInt32LE(get("secondsLow"), at + inodeField.mtime);
    bytes.writeUInt32LE(get("secondsHigh"), at + inodeField.mtime + 4);
    bytes.writeUInt32LE(get("nanoseconds"), at + inodeField.mtimeNanoseconds);
  }

  /** The extended attributes as they lie on disk, one character per byte. */
  encodedXattrs(row: number): string {
    return this.#xattrs[this.#rows.get(row, field.xattrs)]!;
  }

  #addXattrs(xattrs: Xattrs): number {
    if (xattrs.size === 0) return 0;
    const encoded = latin1(encodeXattrs(xattrs));
    const known = this.#xattrNumbers.get(encoded);
    if (known !== undefined) return known;
    this.#meter.charge(encoded.length + STRING_COST);
    this.#xattrNumbers.set(encoded, this.#xattrs.length);
    return this.#xattrs.push(encoded) - 1;
  }

  #isSame(row: number): boolean {
    return this.#values.every((value, index) => this.#rows.get(row, index) === value);
  }

  #hashOf(row: number): number {
    let hash = 0;
    for (let index = 0; index < field.chain; index++) hash = mix(hash, this.#rows.get(row, index));
    return hash;
  }
}
