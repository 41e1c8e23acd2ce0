/** What a request says about the walls around a container: capabilities, seccomp, namespaces, kernel settings. */
import type { HostConfig } from "../api/types.ts";
import { PierError } from "../base/errors.ts";
import { parseCapability } from "../kernel/numbers/capabilities.ts";
import { containerError } from "./errors.ts";
import type { NamespaceRequest, NetworkRequest, SeccompRequest, SecurityRequest } from "./request.ts";

export const parseSecurity = (host: HostConfig): SecurityRequest => {
  const options = host.SecurityOpt ?? [];
  const base: Mutable<SecurityRequest> = {
    capAdd: parseCapabilities("CapAdd", host.CapAdd ?? []),
    capDrop: parseCapabilities("CapDrop", host.CapDrop ?? []),
    privileged: host.Privileged ?? false,
    noNewPrivileges: false,
    seccomp: { kind: "default" },
    apparmor: "",
    labels: [],
    writableCgroups: false,
    maskedPaths: parseHiddenPaths(host.MaskedPaths),
    readonlyPaths: parseHiddenPaths(host.ReadonlyPaths),
    options,
  };
  for (const option of options) Object.assign(base, parseOption(option, base));
  return base;
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const parseCapabilities = (field: string, names: readonly string[]): readonly string[] => {
  try {
    return names.map(parseCapability);
  } catch (error) {
    if (!(error instanceof PierError)) throw error;
    throw containerError("invalidCapability", { field, reason: error.message }, error);
  }
};

const parseHiddenPaths = (paths: readonly string[] | null | undefined): readonly string[] | null => {
  if (paths === null || paths === undefined) return null;
  const relative = paths.find((path) => !path.startsWith("/"));
  if (relative !== undefined) throw containerError("relativeMount", { path: relative });
  return paths;
};

/** `key=value`; the older `key:value` still counts. */
const parseOption = (option: string, so: SecurityRequest): Partial<SecurityRequest> => {
  if (option === "no-new-privileges") return { noNewPrivileges: true };
  if (option === "disable") return { labels: [...so.labels, "disable"] };
  const separator = option.includes("=") ? option.indexOf("=") : option.indexOf(":");
  const key = option.slice(0, Math.max(separator, 0));
  const value = option.slice(separator + 1);
  const invalid = containerError("invalidSecurityOption", { option: option.slice(0, 200) });
  switch (key) {
    case "label":
      return { labels: [...so.labels, value] };
    case "apparmor":
      return { apparmor: value };
    case "seccomp":
      return { seccomp: parseSeccomp(value) };
    case "no-new-privileges":
      return { noNewPrivileges: parseBoolean(value, invalid) };
    case "writable-cgroups":
      return { writableCgroups: parseBoolean(value, invalid) };
    case "systempaths":
      if (value !== "unconfined") throw invalid;
      return { maskedPaths: [], readonlyPaths: [] };
    default:
      throw invalid;
  }
};

/** Go's strconv.ParseBool. */
const parseBoolean = (text: string, invalid: Error): boolean => {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw invalid;
};

const parseSeccomp = (value: string): SeccompRequest => {
  if (value === "unconfined") return { kind: "unconfined" };
  if (value === "" || value === "builtin") return { kind: "default" };
  let profile: unknown;
  try {
    profile = JSON.parse(value);
  } catch (cause) {
    throw containerError("invalidSeccomp", { reason: cause instanceof Error ? cause.message : "not JSON" }, cause);
  }
  if (typeof profile !== "object" || profile === null || Array.isArray(profile)) {
    throw containerError("invalidSeccomp", { reason: "not an object" });
  }
  return { kind: "profile", profile: value };
};

export const parseNamespaces = (host: HostConfig): NamespaceRequest => ({
  pid: joinable("PID", host.PidMode ?? "", { "": "private", private: "private" }),
  ipc: joinable("IPC", host.IpcMode ?? "", {
    "": "private",
    private: "private",
    shareable: "shareable",
    none: "none",
  }),
  uts: { kind: ownOrHost("UTS", host.UTSMode ?? "") },
  cgroup: { kind: ownOrHost("cgroup namespace", host.CgroupnsMode ?? "") },
  user: parseUserNamespace(host.UsernsMode ?? ""),
});

const joinable = <Own extends string>(namespace: string, mode: string, own: Readonly<Record<string, Own>>) => {
  if (mode === "host") return { kind: "host" } as const;
  const ref = mode.startsWith("container:") ? mode.slice("container:".length) : "";
  if (ref !== "") return { kind: "container", ref } as const;
  if (!Object.hasOwn(own, mode)) throw containerError("invalidMode", { namespace, mode });
  return { kind: own[mode]! };
};

const ownOrHost = (namespace: string, mode: string): "private" | "host" => {
  if (mode === "" || mode === "private") return "private";
  if (mode !== "host") throw containerError("invalidMode", { namespace, mode });
  return "host";
};

const parseUserNamespace = (mode: string): "" | "host" => {
  if (mode !== "" && mode !== "host") throw containerError("invalidMode", { namespace: "userns", mode });
  return mode;
};

/** What lies in a namespace of the container's own (runc, libcontainer/configs/validate). */
const ipcSysctls: ReadonlySet<string> = new Set(
  ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"].map(
    (name) => `kernel.${name}`,
  ),
);

/**
 * A name is dotted words and nothing else: cri-o's cr8escape (CVE-2022-0811) hid a second setting behind a `+`, and a
 * slash would make a path of it.
 */
const sysctlName = /^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$/;

export const parseSysctls = (
  host: HostConfig,
  namespaces: NamespaceRequest,
  network: NetworkRequest,
): Readonly<Record<string, string>> => {
  const asked = Object.entries(host.Sysctls ?? {});
  for (const [name, value] of asked) {
    if (!sysctlName.test(name)) throw containerError("invalidSysctl", { name });
    if (/[\n\r]/.test(value)) throw containerError("invalidSysctlValue", { name });
    checkSysctl(name, namespaces, network);
  }
  return Object.fromEntries(asked);
};

const checkSysctl = (name: string, namespaces: NamespaceRequest, network: NetworkRequest): void => {
  const inHost = (namespace: string) => containerError("sysctlHostNamespace", { name, namespace });
  if (name.startsWith("net.")) {
    if (network.mode === "host") throw inHost("network");
  } else if (ipcSysctls.has(name) || name.startsWith("fs.mqueue.")) {
    if (namespaces.ipc.kind === "host") throw inHost("ipc");
  } else if (name === "kernel.domainname") {
    if (namespaces.uts.kind === "host") throw inHost("uts");
  } else if (name === "kernel.hostname") {
    throw containerError("sysctlHostname", { name });
  } else {
    throw containerError("sysctlNotNamespaced", { name });
  }
};
