/** The fields of a 512-byte tar header block: text that ends at a NUL, octal digits, or base-256 binary numbers. */

export const BLOCK = 512;

/** `size` rounded up to whole blocks. */
export const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

const EMPTY = new Uint8Array();

/** The bytes before the first NUL, copied. (The block must be no Buffer: that one's `slice` does not copy.) */
export const parseText = (block: Uint8Array, start: number, length: number): Uint8Array => {
  if (block[start] === 0) return EMPTY;
  const nul = block.indexOf(0, start);
  return block.slice(start, nul === -1 || nul > start + length ? start + length : nul);
};

/** One character per byte, so that bytes can be compared, split and used as keys. */
export const latin1 = (bytes: Uint8Array): string =>
  // A copy: asking for the buffer of a short array makes one first, which takes longer.
  (bytes instanceof Buffer ? bytes : Buffer.from(bytes)).toString("latin1");

export const fromLatin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

const SPACE = 0x20;
const isPadding = (byte: number): boolean => byte === 0 || byte === SPACE;

/** Octal digits between spaces and NULs; an empty field is 0, anything else undefined. */
export const parseOctal = (block: Uint8Array, start: number, length: number): number | undefined => {
  let from = start;
  let to = start + length;
  while (from < to && isPadding(block[from]!)) from++;
  while (to > from && isPadding(block[to - 1]!)) to--;
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = block[at]!;
    // Some writers end a field with a NUL and leave rubbish behind it.
    if (byte === 0) break;
    if (byte < 0x30 || byte > 0x37) return undefined;
    value = value * 8 + (byte - 0x30);
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
};

/** GNU's base-256: the top bit set, then two's complement; undefined beyond 64 bits. */
const parseBinary = (block: Uint8Array, start: number, length: number): bigint | undefined => {
  const first = block[start]!;
  let value = BigInt((first & 0x40) !== 0 ? first | ~0xff : first & 0x7f);
  for (let at = start + 1; at < start + length; at++) value = (value << 8n) | BigInt(block[at]!);
  return BigInt.asIntN(64, value) === value ? value : undefined;
};

const isBinary = (block: Uint8Array, start: number): boolean => (block[start]! & 0x80) !== 0;

/** Octal or base-256, of either sign; undefined when it is neither, or no JavaScript number holds it exactly. */
export const parseNumeric = (block: Uint8Array, start: number, length: number): number | undefined => {
  if (!isBinary(block, start)) return parseOctal(block, start, length);
  const value = Number(parseBinary(block, start, length));
  return Number.isSafeInteger(value) ? value : undefined;
};

/** The same for times, which may take all of 64 bits. */
export const parseLong = (block: Uint8Array, start: number, length: number): bigint | undefined => {
  if (isBinary(block, start)) return parseBinary(block, start, length);
  const octal = parseOctal(block, start, length);
  return octal === undefined ? undefined : BigInt(octal);
};

/** The digits of a non-negative decimal number that a JavaScript number holds exactly. */
export const parseDecimal = (text: string): number | undefined => {
  if (!/^[0-9]{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
};

export const CHECKSUM_START = 148;
export const CHECKSUM_LENGTH = 8;

/** The sums of a header's bytes with the checksum field taken as spaces: the standard's unsigned one, and old Sun's signed one. */
export const checksums = (block: Uint8Array): { unsigned: number; signed: number } => {
  let unsigned = 0;
  let high = 0;
  for (let at = 0; at < BLOCK; at++) {
    const byte = block[at]!;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let at = CHECKSUM_START; at < CHECKSUM_START + CHECKSUM_LENGTH; at++) {
    const byte = block[at]!;
    unsigned += SPACE - byte;
    high -= byte >> 7;
  }
  return { unsigned, signed: unsigned - 256 * high };
};

export const isZeroBlock = (block: Uint8Array): boolean => {
  for (let at = 0; at < BLOCK; at++) if (block[at] !== 0) return false;
  return true;
};
