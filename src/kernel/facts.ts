/** What the host is and can do, found once, by looking and by trying; never deduced from a version. */
import { access, readFile } from "node:fs/promises";
import { hostname, machine, release } from "node:os";
import { findParser } from "./apparmor/load.ts";
import { findCgroupLayout } from "./cgroup/find-layout.ts";
import type { CgroupLayout } from "./cgroup/layout.ts";
import { type Capability, capabilitiesOf } from "./numbers/capabilities.ts";

/** How layers are mounted: their index and tar as they are, through loop devices, or extracted. */
export type LayerFormat = "file" | "loop" | "directory";

export interface HostFacts {
  readonly cgroup: CgroupLayout;
  readonly layerFormat: LayerFormat;
  readonly kernelRelease: string;
  /** As uname(2) calls it: "x86_64", "aarch64". */
  readonly architecture: string;
  /** "Debian GNU/Linux 12 (bookworm)". */
  readonly osName: string;
  readonly osVersion: string;
  readonly hostname: string;
  /** Another one after each start of the machine: pids and start times mean nothing across two. */
  readonly bootId: string;
  /** In bytes. */
  readonly memory: number;
  readonly pageSize: number;
  /** How many processors we may use. */
  readonly cpus: number;
  /** The processors whose thermal_throttle directory has to be masked. */
  readonly throttledCpus: readonly number[];
  /** What we may give to a container. */
  readonly capabilities: readonly Capability[];
  /** The actions a filter may answer with, empty without seccomp filters. */
  readonly seccompActions: readonly string[];
  readonly apparmor: boolean;
  readonly selinux: "absent" | "permissive" | "enforcing";
  readonly ipv4Forwarding: boolean;
  /** Frames between ports of a bridge pass through IPv4's, IPv6's firewall. */
  readonly bridgeFirewall: { readonly ipv4: boolean; readonly ipv6: boolean };
}

/** The host's facts, but for the layer format, which the store finds by mounting one. */
export const findHostFacts = async (): Promise<Omit<HostFacts, "layerFormat">> => {
  const [cgroup, system, processors, security, network] = await Promise.all([
    findCgroupLayout(),
    findSystem(),
    findProcessors(),
    findSecurity(),
    findNetwork(),
  ]);
  return { cgroup, ...system, ...processors, ...security, ...network };
};

const findSystem = async () => {
  const [osRelease, bootId, meminfo, auxv] = await Promise.all([
    read("/etc/os-release").then(async (text) => text ?? (await read("/usr/lib/os-release")) ?? ""),
    read("/proc/sys/kernel/random/boot_id"),
    read("/proc/meminfo"),
    readFile("/proc/self/auxv").catch(() => new Uint8Array()),
  ]);
  const os = parseOsRelease(osRelease);
  return {
    kernelRelease: release(),
    architecture: machine(),
    osName: os.get("PRETTY_NAME") ?? os.get("NAME") ?? "Linux",
    osVersion: os.get("VERSION_ID") ?? "",
    hostname: hostname(),
    bootId: bootId?.trim() ?? "",
    memory: parseTotalMemory(meminfo ?? ""),
    pageSize: parsePageSize(auxv),
  };
};

/** The values of os-release(5), without their quotes. */
export const parseOsRelease = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text.split("\n").flatMap((line) => {
      const [, name, value] = /^([A-Z0-9_]+)=(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, unquote(value.trim())] as const];
    }),
  );

const unquote = (value: string): string => {
  const [, double] = /^"(.*)"$/.exec(value) ?? [];
  if (double !== undefined) return double.replace(/\\(["$`\\])/g, "$1");
  return value.replace(/^'(.*)'$/, "$1");
};

const parseTotalMemory = (meminfo: string): number => Number(/^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024;

/** AT_PAGESZ of the auxiliary vector: pairs of words, as long as the machine's. */
const parsePageSize = (auxv: Uint8Array): number => {
  const pageSizeEntry = 6n;
  const view = new DataView(auxv.buffer, auxv.byteOffset, auxv.byteLength);
  for (let at = 0; at + 16 <= auxv.byteLength; at += 16) {
    if (view.getBigUint64(at, true) === pageSizeEntry) return Number(view.getBigUint64(at + 8, true));
  }
  return 4096;
};

const findProcessors = async () => {
  const [status, possible] = await Promise.all([read("/proc/self/status"), read("/sys/devices/system/cpu/possible")]);
  const throttled = await Promise.all(
    parseCpuList(possible ?? "").map(async (cpu) =>
      (await exists(`/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`)) ? [cpu] : [],
    ),
  );
  const allowed = /^Cpus_allowed_list:\s+(\S+)$/m.exec(status ?? "")?.[1] ?? "";
  return {
    cpus: Math.max(1, parseCpuList(allowed).length),
    throttledCpus: throttled.flat(),
    capabilities: capabilitiesOf(BigInt(`0x${/^CapBnd:\s+([0-9a-f]+)$/m.exec(status ?? "")?.[1] ?? "0"}`)),
  };
};

/** The numbers of a list such as `0-2,7`. */
export const parseCpuList = (text: string): readonly number[] =>
  text
    .trim()
    .split(",")
    .filter((range) => range !== "")
    .flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => first + at);
    });

const findSecurity = async () => {
  const [actions, profiles, enabled, enforce] = await Promise.all([
    read("/proc/sys/kernel/seccomp/actions_avail"),
    exists("/sys/kernel/security/apparmor"),
    read("/sys/module/apparmor/parameters/enabled"),
    read("/sys/fs/selinux/enforce"),
  ]);
  return {
    seccompActions: (actions ?? "").split(/\s+/).filter((action) => action !== ""),
    // Without its parser no profile can be loaded: as in Docker, there is then no AppArmor for containers.
    apparmor: profiles && enabled?.startsWith("Y") === true && findParser() !== undefined,
    selinux:
      enforce === undefined
        ? ("absent" as const)
        : enforce.startsWith("1")
          ? ("enforcing" as const)
          : ("permissive" as const),
  };
};

const findNetwork = async () => {
  const [forward, ipv4, ipv6] = await Promise.all(
    ["ipv4/ip_forward", "bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables"].map(
      async (name) => (await read(`/proc/sys/net/${name}`))?.trim() === "1",
    ),
  );
  return { ipv4Forwarding: forward === true, bridgeFirewall: { ipv4: ipv4 === true, ipv6: ipv6 === true } };
};

/** A small file of the kernel's; what cannot be read is not there for us. */
const read = (path: string): Promise<string | undefined> => readFile(path, "utf8").catch(() => undefined);

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
