/** Numbers and truth as Go's strconv reads them, with its wording: Docker's users know it from its messages. */
import { cliError } from "../errors.ts";
import { quote } from "./quote.ts";

const truths = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const untruths = new Set(["0", "f", "F", "false", "FALSE", "False"]);

export const parseBoolean = (text: string): boolean => {
  if (truths.has(text)) return true;
  if (untruths.has(text)) return false;
  throw cliError("numberSyntax", { reader: "ParseBool", text: quote(text) });
};

const prefixes = [
  { pattern: /^0[xX]_?[0-9a-fA-F]+(_[0-9a-fA-F]+)*$/, prefix: "0x", skip: 2 },
  { pattern: /^0[bB]_?[01]+(_[01]+)*$/, prefix: "0b", skip: 2 },
  { pattern: /^0[oO]_?[0-7]+(_[0-7]+)*$/, prefix: "0o", skip: 2 },
  { pattern: /^0(_?[0-7]+)+$/, prefix: "0o", skip: 1 },
  { pattern: /^(0|[1-9][0-9]*(_[0-9]+)*)$/, prefix: "", skip: 0 },
] as const;

/** A whole number without sign as Go writes it in source: `0x10`, `0b11`, `010`, `1_000`; undefined for anything else. */
const magnitude = (digits: string): bigint | undefined => {
  const form = prefixes.find(({ pattern }) => pattern.test(digits));
  return form === undefined ? undefined : BigInt(form.prefix + digits.slice(form.skip).replaceAll("_", ""));
};

/** A JSON number is a double: beyond 2^53 a request would say something else than what was typed. */
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

export const parseInteger = (text: string): number => {
  const size = magnitude(text.replace(/^[+-]/, ""));
  if (size === undefined) throw cliError("numberSyntax", { reader: "ParseInt", text: quote(text) });
  if (size > SAFE) throw cliError("numberRange", { reader: "ParseInt", text: quote(text) });
  return size === 0n ? 0 : Number(text.startsWith("-") ? -size : size);
};

export const parseUnsigned = (text: string, bits: 16 | 64 = 64): number => {
  const size = magnitude(text);
  if (size === undefined) throw cliError("numberSyntax", { reader: "ParseUint", text: quote(text) });
  if (size > SAFE || (bits === 16 && size > 0xffffn))
    throw cliError("numberRange", { reader: "ParseUint", text: quote(text) });
  return Number(size);
};

/** A number in decimal digits alone, as ports and retry counts are written; undefined for anything else. */
export const decimal = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

export const parseFloat64 = (text: string): number => {
  if (!/^[+-]?(\d+(_\d+)*\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    throw cliError("numberSyntax", { reader: "ParseFloat", text: quote(text) });
  }
  return Number(text.replaceAll("_", ""));
};
