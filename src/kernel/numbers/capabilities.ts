/** The capabilities of Linux (linux/capability.h) and Docker's rules for asking for them. */
import { numbersError } from "./errors.ts";

/** Every capability and its bit. */
export const capabilities = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_FSETID: 4,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP: 8,
  CAP_LINUX_IMMUTABLE: 9,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_BROADCAST: 11,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_IPC_OWNER: 15,
  CAP_SYS_MODULE: 16,
  CAP_SYS_RAWIO: 17,
  CAP_SYS_CHROOT: 18,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_PACCT: 20,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_BOOT: 22,
  CAP_SYS_NICE: 23,
  CAP_SYS_RESOURCE: 24,
  CAP_SYS_TIME: 25,
  CAP_SYS_TTY_CONFIG: 26,
  CAP_MKNOD: 27,
  CAP_LEASE: 28,
  CAP_AUDIT_WRITE: 29,
  CAP_AUDIT_CONTROL: 30,
  CAP_SETFCAP: 31,
  CAP_MAC_OVERRIDE: 32,
  CAP_MAC_ADMIN: 33,
  CAP_SYSLOG: 34,
  CAP_WAKE_ALARM: 35,
  CAP_BLOCK_SUSPEND: 36,
  CAP_AUDIT_READ: 37,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
  CAP_CHECKPOINT_RESTORE: 40,
} as const;

export type Capability = keyof typeof capabilities;

const isCapability = (name: string): name is Capability => Object.hasOwn(capabilities, name);

export const allCapabilities: readonly Capability[] = Object.keys(capabilities).filter(isCapability);

/** What a container has unless it asks for something else: Docker's fourteen. */
export const defaultCapabilities = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
] as const satisfies readonly Capability[];

/** Parses a capability as people write it ("net_admin", "CAP_NET_ADMIN", "ALL"); throws Docker's `unknown capability`. */
export const parseCapability = (text: string): Capability | "ALL" => {
  const upper = text.toUpperCase();
  if (upper === "ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (!isCapability(name)) throw numbersError("unknownCapability", { name });
  return name;
};

export interface CapabilityRequest {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
  /** What the kernel has and we may give: /proc/self/status, CapBnd. */
  readonly available: readonly Capability[];
}

/** The capabilities a container gets, in the order of their bits. Adding one that is not available is refused. */
export const planCapabilities = ({ add, drop, privileged, available }: CapabilityRequest): readonly Capability[] => {
  if (privileged) return inOrder(available);
  const added = add.map(parseCapability);
  const dropped = new Set(drop.map(parseCapability));
  const missing = added.find((name) => name !== "ALL" && !available.includes(name));
  if (missing !== undefined) throw numbersError("unavailableCapability", { name: missing });

  const named = added.filter((name) => name !== "ALL");
  // "ALL" minus some; or nothing plus some; or the default minus some plus some: what is added by name wins over a drop.
  if (added.includes("ALL")) return inOrder(available.filter((name) => !dropped.has(name)));
  if (dropped.has("ALL")) return inOrder(named);
  const kept = defaultCapabilities.filter((name) => !dropped.has(name) && available.includes(name));
  return inOrder([...kept, ...named]);
};

const inOrder = (names: readonly Capability[]): readonly Capability[] => {
  const wanted = new Set(names);
  return allCapabilities.filter((name) => wanted.has(name));
};

/** The set as the kernel takes it: one bit each. */
export const capabilityMask = (names: readonly Capability[]): bigint =>
  names.reduce((mask, name) => mask | (1n << BigInt(capabilities[name])), 0n);

/** The capabilities of a mask; bits that are newer than this table are left out. */
export const capabilitiesOf = (mask: bigint): readonly Capability[] =>
  allCapabilities.filter((name) => ((mask >> BigInt(capabilities[name])) & 1n) === 1n);
