/** `--security-opt`, capabilities, system controls and namespaces. */
import { files } from "../../base/files.ts";
import { fileFailure } from "../failure.ts";
import { compactJson } from "../values/json.ts";
import { splitPair } from "../values/kinds.ts";
import { quote } from "../values/quote.ts";
import { createError } from "./errors.ts";

/** `CAP_NET_RAW`, whatever way it was written; sorted, each once. */
export const normalCapabilities = (names: readonly string[]): string[] | null => {
  const normal = names.map((name) => {
    const upper = name.trim().toUpperCase();
    return upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  });
  return normal.length === 0 ? null : [...new Set(normal)].sort();
};

const namespacedControls = new Set(
  "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced".split(
    " ",
  ),
);

export const checkSysctl = (text: string): string => {
  const [name, value] = splitPair(text);
  const known = namespacedControls.has(name) || name.startsWith("net.") || name.startsWith("fs.mqueue.");
  if (value === undefined || !known) throw createError("sysctl", { text });
  return text;
};

const readProfile = (path: string): string => {
  let text: string;
  try {
    text = files().readFileSync(path, "utf8");
  } catch (cause) {
    throw createError("seccompOpen", { path, reason: fileFailure(path, cause).message }, cause);
  }
  try {
    return compactJson(text);
  } catch (cause) {
    throw createError("seccompJson", { path, reason: cause instanceof Error ? cause.message : "" }, cause);
  }
};

/** The option as it is sent; a seccomp profile is read here, where the file is, and travels with the request. */
const readSecurityOption = (text: string): string => {
  let [key, value] = splitPair(text);
  const colon = text.indexOf(":");
  if (value === undefined && key !== "no-new-privileges" && colon >= 0) {
    [key, value] = [text.slice(0, colon), text.slice(colon + 1)];
  }
  if (!value && key !== "no-new-privileges") throw createError("securityOption", { text: quote(text) });
  if (key !== "seccomp" || value === "unconfined" || value === "builtin") return text;
  return `seccomp=${readProfile(value!)}`;
};

export interface SecurityOptions {
  readonly SecurityOpt: readonly string[] | null;
  readonly MaskedPaths: readonly string[] | null;
  readonly ReadonlyPaths: readonly string[] | null;
}

/** `systempaths=unconfined` is no option of the daemon's: it stands for empty lists of masked and read-only paths. */
export const planSecurity = (options: readonly string[]): SecurityOptions => {
  const read = options.map(readSecurityOption);
  const kept = read.filter((option) => option !== "systempaths=unconfined");
  const paths = kept.length === read.length ? null : [];
  return { SecurityOpt: options.length === 0 ? null : kept, MaskedPaths: paths, ReadonlyPaths: paths };
};

const namespaceRules = {
  pid: { what: "PID", valid: (mode: string) => mode === "" || mode === "host" || /^container:./.test(mode) },
  uts: { what: "UTS", valid: (mode: string) => mode === "" || mode === "host" },
  userns: { what: "USER", valid: (mode: string) => mode === "" || mode === "host" },
  cgroupns: { what: "CGROUP", valid: (mode: string) => mode === "" || mode === "host" || mode === "private" },
} as const;

/** Throws unless each mode is one that Docker's command line lets through; `--ipc` is left to the daemon, as there. */
export const checkNamespaces = (modes: Readonly<Record<keyof typeof namespaceRules, string>>): void => {
  for (const flag of ["pid", "uts", "userns", "cgroupns"] as const) {
    if (!namespaceRules[flag].valid(modes[flag]))
      throw createError("namespaceMode", { flag, what: namespaceRules[flag].what });
  }
};
