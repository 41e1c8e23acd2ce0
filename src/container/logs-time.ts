/** The times of log records, as texts that can be compared. */

/** As a record has it, with all nine digits in UTC. */
export const toFixedTime = (text: string): string => {
  if (text.endsWith("Z")) return padTime(text);
  return fixedTime(parseLogTime(text) ?? 0n);
};

/** RFC 3339 in UTC with all nine digits: so that times can be compared as texts. */
export const padTime = (text: string): string => {
  if (text.length === 30) return text;
  const seconds = text.slice(0, 19);
  return `${seconds}.${text.slice(20, -1).padEnd(9, "0")}Z`;
};

/** Nanoseconds since 1970 in RFC 3339 with nine digits. */
export const fixedTime = (nanoseconds: bigint): string => {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const milliseconds = Number((nanoseconds - rest) / 1_000_000n);
  const date = new Date(Math.min(Math.max(milliseconds, -62_135_596_800_000), 253_402_300_799_000));
  return `${date.toISOString().slice(0, 19)}.${rest.toString().padStart(9, "0")}Z`;
};

/** `1700000000.123456789` or RFC 3339 as nanoseconds since 1970; undefined for anything else. */
export const parseLogTime = (text: string): bigint | undefined => {
  const seconds = /^(-?)(\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (seconds !== null) {
    const value = BigInt(seconds[2]!) * 1_000_000_000n + BigInt((seconds[3] ?? "").padEnd(9, "0"));
    return seconds[1] === "-" ? -value : value;
  }
  const time = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (time === null) return undefined;
  const whole = Date.parse(`${time[1]}${time[3]}`);
  if (Number.isNaN(whole)) return undefined;
  return BigInt(whole) * 1_000_000n + BigInt((time[2] ?? "").padEnd(9, "0"));
};
