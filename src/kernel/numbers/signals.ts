/** The signals of Linux on x86-64 and arm64, under the names that Docker takes (without `SIG`). */
import { numbersError } from "./errors.ts";

const realTimeFirst = 34; // glibc keeps 32 and 33 for itself
const realTimeLast = 64;

const standard = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
} as const;

const realTime = (): Record<string, number> => {
  const names: Record<string, number> = { RTMIN: realTimeFirst, RTMAX: realTimeLast };
  for (let n = 1; n <= 15; n++) names[`RTMIN+${n}`] = realTimeFirst + n;
  for (let n = 1; n <= 14; n++) names[`RTMAX-${n}`] = realTimeLast - n;
  return names;
};

/** Every name and its number. */
export const signals: Readonly<Record<keyof typeof standard, number> & Record<string, number>> = {
  ...standard,
  ...realTime(),
};

const numbers: ReadonlySet<number> = new Set(Object.values(signals));

/** The number of a signal as people write it: "SIGTERM", "term", "15", "RTMIN+3"; throws Docker's `invalid signal`. */
export const parseSignal = (text: string): number => {
  if (/^[+-]?\d+$/.test(text)) {
    const number = Number(text);
    if (number === 0) throw numbersError("invalidSignal", { signal: text });
    if (!numbers.has(number)) throw numbersError("unsupportedSignal", { signal: text });
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  if (!Object.hasOwn(signals, name)) throw numbersError("invalidSignal", { signal: text });
  return signals[name]!;
};

/** The usual name of a signal's number, without `SIG`: "TERM". */
export const findSignalName = (number: number): string | undefined =>
  Object.keys(signals).find((name) => signals[name] === number);
