/** A spec as the `config.json` that every OCI runtime reads. */
import type { OciProcess, OciSpec } from "./spec.ts";

type Json = string | number | bigint | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/**
 * The spec as JSON. `seccomp` are the specification's rules for this host (`linux.seccomp`), absent for no filter; our
 * own choice of a profile is never written.
 */
export const encodeConfig = (spec: OciSpec, seccomp?: Json): string => {
  const { seccomp: _ours, ...linux } = spec.linux;
  return encode({ ...spec, linux: { ...linux, seccomp } } as unknown as Json);
};

/** A process alone, as runtimes read it for one more in a container. */
export const encodeProcess = (process: OciProcess): string => encode(process as unknown as Json);

// JSON.stringify refuses bigints, and a limit of 2^64 - 1 ("unlimited") is no number of JavaScript's.
const encode = (value: Json): string => {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(encode).join(",")}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${encode(member)}`).join(",")}}`;
};
