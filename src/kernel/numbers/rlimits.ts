/** The resource limits of Linux (asm-generic/resource.h), under the names of `--ulimit`. */
import { numbersError } from "./errors.ts";

export const rlimits = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  // 9 is RLIMIT_AS: Docker does not take it, because the engine's own start in the container would hit it.
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;

export type RlimitName = keyof typeof rlimits;

/** Parses a limit's name as `--ulimit` ("nofile") or the OCI runtime spec ("RLIMIT_NOFILE") writes it. */
export const parseRlimit = (text: string): RlimitName => {
  const name = text.startsWith("RLIMIT_") ? text.slice("RLIMIT_".length).toLowerCase() : text;
  if (!Object.hasOwn(rlimits, name)) throw numbersError("unknownRlimit", { name: text });
  return name as RlimitName;
};
