/** The kernel's accounts of a group, from its files' texts to values. Pure. */

/** Lines of a name and a number. */
export const parseCounts = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text.split("\n").flatMap((line) => {
      const [, name, value] = /^(\S+) (\d+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );

/** A number alone in a file; undefined for `max`, and for a file that is not there. */
export const parseNumber = (text: string): number | undefined => (/^\d+\s*$/.test(text) ? Number(text) : undefined);

export interface IoCount {
  readonly major: number;
  readonly minor: number;
  /** `read`, `write`, …; as the version writes it. */
  readonly operation: string;
  readonly value: number;
}

/** Version 1: `8:0 Read 4096`, and totals without a device, which are left out. */
export const parseBlkio = (text: string): readonly IoCount[] =>
  text.split("\n").flatMap((line) => {
    const [, major, minor, operation, value] = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line) ?? [];
    return operation === undefined
      ? []
      : [{ major: Number(major), minor: Number(minor), operation: operation.toLowerCase(), value: Number(value) }];
  });

const words: Readonly<Record<string, readonly ["bytes" | "operations", string]>> = {
  rbytes: ["bytes", "read"],
  wbytes: ["bytes", "write"],
  rios: ["operations", "read"],
  wios: ["operations", "write"],
};

/** Version 2: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0`. */
export const parseIoStat = (text: string): { bytes: readonly IoCount[]; operations: readonly IoCount[] } => {
  const found = text.split("\n").flatMap((line) => {
    const [, major, minor, rest] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    return (rest ?? "").split(" ").flatMap((pair) => {
      const [key = "", value] = pair.split("=");
      const word = Object.hasOwn(words, key) ? words[key] : undefined;
      if (word === undefined) return [];
      const count = { major: Number(major), minor: Number(minor), operation: word[1], value: Number(value) };
      return [{ kind: word[0], count }];
    });
  });
  const of = (kind: "bytes" | "operations") => found.filter((one) => one.kind === kind).map(({ count }) => count);
  return { bytes: of("bytes"), operations: of("operations") };
};

export interface InterfaceCount {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/** /proc/<pid>/net/dev, without the loopback. */
export const parseInterfaces = (
  text: string,
): Readonly<Record<string, { readonly received: InterfaceCount; readonly sent: InterfaceCount }>> =>
  Object.fromEntries(
    text.split("\n").flatMap((line) => {
      const [, name, rest] = /^\s*([^:\s]+):(.*)$/.exec(line) ?? [];
      if (name === undefined || name === "lo") return [];
      const numbers = (rest ?? "").trim().split(/\s+/).map(Number);
      const count = (at: number): InterfaceCount => ({
        bytes: numbers[at] ?? 0,
        packets: numbers[at + 1] ?? 0,
        errors: numbers[at + 2] ?? 0,
        dropped: numbers[at + 3] ?? 0,
      });
      return [[name, { received: count(0), sent: count(8) }] as const];
    }),
  );

const clockTicks = 100;

/** /proc/stat: nanoseconds that all processors together have spent, and how many there are. */
export const parseMachine = (text: string): { readonly total: number; readonly cpus: number } => {
  const fields = /^cpu +(.*)$/m.exec(text)?.[1]?.split(" ").map(Number) ?? [];
  // Guests are counted in user and nice already.
  const ticks = fields.slice(0, 7).reduce((sum, field) => sum + field, 0);
  return { total: ticks * (1e9 / clockTicks), cpus: text.match(/^cpu\d/gm)?.length ?? 0 };
};
