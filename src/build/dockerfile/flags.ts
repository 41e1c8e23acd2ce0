/** The flags that each instruction takes: one table for the parser and for what it says about others. */
import { parseError, type SourceInstruction } from "./source.ts";

type FlagKind = "text" | "switch" | "list";

export const instructionFlags = {
  FROM: { platform: "text" },
  RUN: { mount: "list", network: "text", security: "text", device: "list" },
  COPY: {
    from: "text",
    chown: "text",
    chmod: "text",
    link: "switch",
    parents: "switch",
    exclude: "list",
  },
  ADD: {
    chown: "text",
    chmod: "text",
    link: "switch",
    exclude: "list",
    checksum: "text",
    "keep-git-dir": "switch",
    unpack: "switch",
  },
  HEALTHCHECK: {
    interval: "text",
    timeout: "text",
    "start-period": "text",
    "start-interval": "text",
    retries: "text",
  },
} as const satisfies Record<string, Record<string, FlagKind>>;

type Table = typeof instructionFlags;
type ValueOf<K> = K extends "list" ? readonly string[] : K extends "switch" ? boolean | undefined : string | undefined;
export type Flags<N extends keyof Table> = { readonly [F in keyof Table[N]]: ValueOf<Table[N][F]> };

const parseSwitch = (name: string, value: string | undefined, line: number): boolean => {
  const text = (value ?? "true").toLowerCase();
  if (text !== "true" && text !== "false") {
    throw parseError(line, `expecting boolean value for flag ${name}, not: ${value}`);
  }
  return text === "true";
};

/** Throws BuildKit's sentences for a flag that the instruction has not, or that is there twice. */
export const parseFlags = <N extends keyof Table>(name: N, { flags, start }: SourceInstruction): Flags<N> => {
  const known: Readonly<Record<string, FlagKind>> = instructionFlags[name];
  const found: Record<string, string | boolean | readonly string[] | undefined> = Object.create(null);
  for (const [key, kind] of Object.entries(known)) found[key] = kind === "list" ? [] : undefined;
  for (const flag of flags) {
    const match = /^--([^=]+)(?:=([\s\S]*))?$/.exec(flag);
    const key = match?.[1] ?? "";
    const kind = Object.hasOwn(known, key) ? known[key] : undefined;
    if (kind === undefined) throw parseError(start, `unknown flag: ${flag.split("=", 1)[0]}`);
    const value = match![2];
    if (kind === "switch") found[key] = parseSwitch(key, value, start);
    else if (value === undefined) throw parseError(start, `missing a value on flag: ${key}`);
    else if (kind === "list") found[key] = [...(found[key] as readonly string[]), value];
    else if (found[key] !== undefined) throw parseError(start, `duplicate flag specified: ${key}`);
    else found[key] = value;
  }
  return found as Flags<N>;
};

/** For those that take none. */
export const refuseFlags = ({ flags, start }: SourceInstruction): void => {
  if (flags[0] !== undefined) throw parseError(start, `unknown flag: ${flags[0].split("=", 1)[0]}`);
};
