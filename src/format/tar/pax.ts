import type { TarTime } from "./entry.ts";
import { fromLatin1, latin1, parseDecimal } from "./numbers.ts";

/** A PAX record: `key=value`, the key one character per byte. */
export type PaxRecord = readonly [key: string, value: Uint8Array];

const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;

/** The records of a PAX header's body (`13 comment=1\n…`), or undefined when it is malformed. */
export const parsePax = (body: Uint8Array): PaxRecord[] | undefined => {
  const records: PaxRecord[] = [];
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(SPACE, at);
    if (space === -1 || space - at > 10) return undefined;
    const length = parseDecimal(latin1(body.subarray(at, space)));
    if (length === undefined) return undefined;
    const end = at + length;
    if (end > body.length || end <= space || body[end - 1] !== NEWLINE) return undefined;
    const equals = body.indexOf(EQUALS, space + 1);
    if (equals === -1 || equals >= end || equals === space + 1) return undefined;
    const key = latin1(body.subarray(space + 1, equals));
    if (key.includes("\0")) return undefined;
    records.push([key, body.slice(equals + 1, end - 1)]);
    at = end;
  }
  return records;
};

const recordBytes = (key: string, value: Uint8Array): Uint8Array => {
  const payload = key.length + value.length + " =\n".length;
  // The length counts its own digits.
  let length = payload + String(payload).length;
  length = payload + String(length).length;
  const record = new Uint8Array(length);
  const head = fromLatin1(`${length} ${key}=`);
  record.set(head);
  record.set(value, head.length);
  record[length - 1] = NEWLINE;
  return record;
};

/** The body of a PAX header with these records. */
export const encodePax = (records: Iterable<PaxRecord>): Uint8Array =>
  new Uint8Array(Buffer.concat([...records].map(([key, value]) => recordBytes(key, value))));

const INT64 = 1n << 63n;

/** `-12.5` is twelve and a half seconds before 1970; digits past the ninth are cut. */
export const parsePaxTime = (text: string): TarTime | undefined => {
  const match = /^(-?)([0-9]{1,19})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, fraction = ""] = match;
  const seconds = BigInt(whole!);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (seconds >= INT64) return undefined;
  if (sign === "") return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds }
    : { seconds: -seconds - 1n, nanoseconds: 1_000_000_000 - nanoseconds };
};

export const encodePaxTime = ({ seconds, nanoseconds }: TarTime): string => {
  const isBefore = seconds < 0n && nanoseconds > 0;
  const whole = isBefore ? -(seconds + 1n) : seconds;
  const fraction = String(isBefore ? 1_000_000_000 - nanoseconds : nanoseconds).padStart(9, "0");
  const text = nanoseconds === 0 ? `${whole}` : `${whole}.${fraction.replace(/0+$/, "")}`;
  return isBefore ? `-${text}` : text;
};

const SCHILY = "SCHILY.xattr.";
const LIBARCHIVE = "LIBARCHIVE.xattr.";

const NONE: ReadonlyMap<string, Uint8Array> = new Map();

const percentDecoded = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** The extended attributes among the records: raw ones (star, GNU tar, Docker) and, where those lack, libarchive's in base64. */
export const xattrsOf = (records: readonly PaxRecord[]): ReadonlyMap<string, Uint8Array> => {
  if (!records.some(([key]) => key.startsWith(SCHILY) || key.startsWith(LIBARCHIVE))) return NONE;
  const raw = new Map<string, Uint8Array>();
  const encoded = new Map<string, Uint8Array>();
  for (const [key, value] of records) {
    if (key.startsWith(SCHILY)) raw.set(key.slice(SCHILY.length), value);
    else if (key.startsWith(LIBARCHIVE)) {
      const bytes = Buffer.from(latin1(value), "base64");
      encoded.set(percentDecoded(key.slice(LIBARCHIVE.length)), new Uint8Array(bytes));
    }
  }
  for (const [name, value] of encoded) if (!raw.has(name)) raw.set(name, value);
  return raw;
};

export const paxXattrKey = (name: string): string => SCHILY + name;
