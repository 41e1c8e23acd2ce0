/** Amounts of bytes: `64m` into 67108864, and back into what a person reads. */
import { cliError } from "../errors.ts";
import { parseFloat64 } from "./numbers.ts";

const powers: ReadonlyMap<string, number> = new Map([..."kmgtp"].map((letter, index) => [letter, 1024 ** (index + 1)]));

/** `512`, `64m`, `1.5g`, `64 MiB`: always powers of 1024, as Docker reads limits. */
export const parseBytes = (text: string): number => {
  const end = text.search(/[0-9. ][^0-9. ]*$/);
  if (end < 0) throw cliError("sizeInvalid", { text });
  const suffix = text.slice(end + 1).toLowerCase();
  const amount = parseFloat64(text.slice(0, text[end] === " " ? end : end + 1));
  const factor = suffix === "" || suffix === "b" ? 1 : powers.get(suffix[0]!);
  if (factor === undefined || !/^(.?|[^b]b|.ib)$/.test(suffix)) throw cliError("sizeSuffix", { suffix });
  const size = Math.trunc(amount * factor);
  if (size < 0 || size > Number.MAX_SAFE_INTEGER) throw cliError("sizeInvalid", { text });
  return size;
};

const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB", "EB"] as const;
const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** Go's %.4g and %.3g: that many digits that count, no zeroes behind the point, and 1e+03 for what rounds up to 1000. */
const significant = (value: number, digits: number): string => {
  const [mantissa = "", exponent] = value.toPrecision(digits).split("e+");
  return exponent === undefined ? String(Number(mantissa)) : `${Number(mantissa)}e+${exponent.padStart(2, "0")}`;
};

const scaled = (size: number, step: number, units: readonly string[], digits: number): string => {
  let value = size;
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit++;
  }
  return `${significant(value, digits)}${units[unit]}`;
};

/** `4.86MB`: as sizes of images and containers are shown. */
export const formatSize = (size: number, digits = 3): string => scaled(size, 1000, decimalUnits, digits);

/** `1.94GiB`: as memory is shown. */
export const formatMemory = (size: number): string => scaled(size, 1024, binaryUnits, 4);
