/** A container's place and spec, as tests of plans need them. */
import type { ContainerId } from "../base/ids.ts";
import type { OciSpec } from "./oci/spec.ts";
import type { ContainerPlace } from "./plan.ts";
import { parseCreateRequest } from "./request-parse.ts";
import { planSpec } from "./spec.ts";

export const testId = "c".repeat(64) as ContainerId;

const nothing = { early: [], outside: [], inside: [], after: [] };

export const testPlace: ContainerPlace = {
  id: testId,
  holder: { pid: 7, startTime: 8 },
  root: {
    layersDirectory: "/run/pier/layers",
    layers: ["2", "1"],
    emptyName: "empty",
    upper: "/var/lib/pier/containers/c/upper",
    work: "/var/lib/pier/containers/c/work",
    mountpoint: "/run/pier/root",
    volatile: false,
  },
  controlPath: "/run/pier/c/c/control",
  exitPath: "/run/pier/c/c/exit",
  log: { path: "/var/lib/pier/containers/c/log", maxSize: 1, maxFiles: 1, attributes: undefined },
  stdin: "none",
  directories: [],
  files: [],
  cgroup: {
    outside: [{ step: "openDirectory", slot: "cgroup", path: "/sys/fs/cgroup/pier/c" }],
    inside: [{ step: "write", path: "/sys/fs/cgroup/memory/pier/c/tasks", content: new Uint8Array([0x30]) }],
    after: [{ step: "removeDirectory", path: "/sys/fs/cgroup/pier/c" }],
  },
  cgroupSlot: "cgroup",
  cgroupMounts: [{ target: "/sys/fs/cgroup/memory", source: "/sys/fs/cgroup/memory/pier/c" }],
  subpaths: new Map(),
  network: { ...nothing, inside: [{ step: "netlink", protocol: 0, messages: new Uint8Array(16), pidAt: [] }] },
  seccomp: { filter: new Uint8Array(8), flags: 0 },
  init: false,
};

const host = {
  hostname: "host",
  capabilities: ["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_NET_RAW"] as const,
  throttledCpus: [],
  apparmor: false,
};

/** Of a container that was asked for so; the host has /data. */
export const testSpec = (hostConfig: object = {}, config: object = {}): OciSpec => {
  const request = parseCreateRequest({ Image: "x", Cmd: ["true"], ...config, HostConfig: hostConfig });
  const facts = {
    id: testId,
    directory: "/var/lib/pier/containers/c",
    cgroupParent: "/pier",
    users: {},
    sources: { "/data": { kind: "directory" } as const },
    volumes: new Map(),
    devices: {},
    hostDevices: [],
    maxOpenFiles: 1_048_576,
  };
  return planSpec(request, {}, facts, host as unknown as Parameters<typeof planSpec>[3]);
};
