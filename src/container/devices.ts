/** The devices of a container: which nodes /dev has, and which may be used. */
import { containerError } from "./errors.ts";
import type { OciDevice, OciDeviceRule } from "./oci/spec.ts";
import type { DeviceRequest, DeviceRule } from "./request.ts";

/** A device of the host, as stat(2) sees it; one of a directory's keeps its path beneath it. */
export interface DeviceFact {
  /** "" for the asked path itself, `/name` beneath an asked directory. */
  readonly beneath: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The devices found at an asked path, or why there are none. */
export type DeviceFacts = readonly DeviceFact[] | { readonly missing: string };

const node = (path: string, major: number, minor: number): OciDevice => ({
  path,
  type: "c",
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

/** What the runtime specification promises every container; /dev/ptmx is a link to the container's own. */
export const defaultDevices: readonly OciDevice[] = [
  node("/dev/null", 1, 3),
  node("/dev/zero", 1, 5),
  node("/dev/full", 1, 7),
  node("/dev/random", 1, 8),
  node("/dev/urandom", 1, 9),
  node("/dev/tty", 5, 0),
];

const allow = (major: number, minor: number | undefined): OciDeviceRule => ({
  allow: true,
  type: "c",
  major,
  ...(minor === undefined ? {} : { minor }),
  access: "rwm",
});

/**
 * Everything is forbidden but making nodes and using the harmless ones. Docker forbids 10:229 (fuse) once more by name;
 * on cgroup v1 that is no rule: nothing can be taken out of a wildcard.
 */
const defaultRules: readonly OciDeviceRule[] = [
  { allow: false, type: "a", access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  allow(1, 3), // null
  allow(1, 5), // zero
  allow(1, 7), // full
  allow(1, 8), // random
  allow(1, 9), // urandom
  allow(5, 0), // tty
  allow(5, 1), // console
  allow(5, 2), // ptmx
  allow(136, undefined), // pts
];

/** /dev/net/tun: Docker lets everyone use it for compatibility's sake; ours need what makes it useful. */
const tun = allow(10, 200);

export interface DeviceInput {
  readonly asked: readonly DeviceRequest[];
  readonly rules: readonly DeviceRule[];
  readonly privileged: boolean;
  readonly netAdmin: boolean;
  readonly facts: Readonly<Record<string, DeviceFacts>>;
  /** Every device beneath the host's /dev: what a privileged container gets. */
  readonly hostDevices: readonly OciDevice[];
}

export const planDevices = (
  input: DeviceInput,
): { readonly nodes: readonly OciDevice[]; readonly rules: readonly OciDeviceRule[] } => {
  const asked = input.asked.flatMap((request) =>
    factsOf(request.source, input.facts).map((fact) => ({ request, device: askedNode(request, fact) })),
  );
  const nodes = byPath([
    ...defaultDevices,
    ...(input.privileged ? input.hostDevices : []),
    ...asked.map(({ device }) => device),
  ]);
  if (input.privileged) return { nodes, rules: [{ allow: true, type: "a", access: "rwm" }] };
  const askedRules = asked.map(({ request, device }) => ruleFor(device, request.permissions));
  return {
    nodes,
    rules: [...defaultRules, ...(input.netAdmin ? [tun] : []), ...askedRules, ...input.rules.map(ruleOf)],
  };
};

/** The number of a block device whose speed is limited. */
export const blockDeviceNumber = (
  path: string,
  facts: Readonly<Record<string, DeviceFacts>>,
): { readonly major: number; readonly minor: number } => {
  const [fact] = factsOf(path, facts);
  if (fact === undefined) throw containerError("noDevice", { path, reason: "not a device node" });
  return { major: fact.major, minor: fact.minor };
};

const factsOf = (path: string, facts: Readonly<Record<string, DeviceFacts>>): readonly DeviceFact[] => {
  const found = Object.hasOwn(facts, path) ? facts[path]! : { missing: "no such file or directory" };
  if ("missing" in found) throw containerError("noDevice", { path, reason: found.missing });
  return found;
};

const askedNode = (request: DeviceRequest, fact: DeviceFact): OciDevice => ({
  path: request.target + fact.beneath,
  type: fact.type,
  major: fact.major,
  minor: fact.minor,
  fileMode: fact.mode,
  uid: fact.uid,
  gid: fact.gid,
});

const ruleFor = (device: OciDevice, access: string): OciDeviceRule => ({
  allow: true,
  type: device.type === "b" ? "b" : "c",
  major: device.major,
  minor: device.minor,
  access,
});

const ruleOf = ({ kind, major, minor, permissions }: DeviceRule): OciDeviceRule => ({
  allow: true,
  type: kind,
  ...(major < 0 ? {} : { major }),
  ...(minor < 0 ? {} : { minor }),
  access: permissions,
});

/** One node a path: the last one that is asked for. */
const byPath = (devices: readonly OciDevice[]): readonly OciDevice[] => [
  ...new Map(devices.map((device) => [device.path, device])).values(),
];
