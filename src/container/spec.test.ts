/**
 * `test/plans/<case>/request.json` → `config.json`: what a client sends, and the OCI spec that becomes of it. A change of
 * a default shows in every file. `UPDATE_PLANS=1` writes them anew.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { ContainerId } from "../base/ids.ts";
import { allCapabilities, capabilitiesOf } from "../kernel/numbers/capabilities.ts";
import { parseMaxOpenFiles } from "./facts.ts";
import { encodeConfig } from "./oci/config-json.ts";
import type { OciSpec } from "./oci/spec.ts";
import type { ImageDefaults } from "./request-image.ts";
import { mergeImage } from "./request-image.ts";
import { parseCreateRequest } from "./request-parse.ts";
import { type ContainerFacts, commandOf, hostnameOf, planSpec, type SpecHost } from "./spec.ts";

const plans = new URL("../../test/plans/", import.meta.url).pathname;
const bytes = (text: string) => new TextEncoder().encode(text);

const facts: ContainerFacts = {
  id: `0123456789abcdef${"0".repeat(48)}` as ContainerId,
  directory: "/var/lib/pier/containers/0123456789ab",
  cgroupParent: "/pier",
  users: {
    passwd: bytes(
      "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:\nalice:x:1000:1000::/home/alice:/bin/sh\n",
    ),
    group: bytes("root:x:0:\ntty:x:5:alice\naudio:x:29:\nwww-data:x:33:\n"),
  },
  sources: {},
  volumes: new Map(),
  devices: {},
  hostDevices: [
    { path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 },
    { path: "/dev/sda", type: "b", major: 8, minor: 0, fileMode: 0o660, uid: 0, gid: 6 },
    { path: "/dev/net/tun", type: "c", major: 10, minor: 200, fileMode: 0o666, uid: 0, gid: 0 },
  ],
  maxOpenFiles: 1_048_576,
};

const host: SpecHost = {
  hostname: "the-host",
  capabilities: allCapabilities,
  throttledCpus: [0, 1],
  apparmor: false,
};

interface Case {
  readonly why: string;
  readonly request: unknown;
  readonly image?: ImageDefaults;
  readonly facts?: Partial<Omit<ContainerFacts, "mountedPasswd">> & { readonly mountedPasswd?: string };
  readonly host?: Partial<SpecHost>;
}

const planCase = (name: string, on?: { readonly facts: Partial<ContainerFacts>; readonly host: Partial<SpecHost> }) => {
  const given: Case = JSON.parse(readFileSync(join(plans, name, "request.json"), "utf8"));
  const passwd = given.facts?.mountedPasswd;
  const all = {
    ...facts,
    ...given.facts,
    ...(passwd === undefined ? {} : { mountedPasswd: bytes(passwd) }),
    ...on?.facts,
  } as ContainerFacts;
  return planSpec(parseCreateRequest(given.request), given.image ?? {}, all, { ...host, ...given.host, ...on?.host });
};

/** What the machine of the test lets a runtime give. */
const thisHost = () => {
  const bounding = /^CapBnd:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return {
    host: { capabilities: capabilitiesOf(BigInt(`0x${bounding}`)) },
    facts: { maxOpenFiles: parseMaxOpenFiles(readFileSync("/proc/self/limits", "utf8")) },
  };
};

/** With our own choice of a profile where the specification has rules; what fits on a line is on one. */
const readable = (spec: OciSpec): string => {
  const config = encodeConfig(spec, spec.linux.seccomp as { readonly kind: string } | undefined);
  const big = /"(soft|hard)":(\d{16,})/g; // beyond what JSON.parse keeps
  const text = layOut(JSON.parse(config.replace(big, '"$1":"#$2"')), "", Number.POSITIVE_INFINITY);
  return `${text.replace(/"#(\d+)"/g, "$1")}\n`;
};

const layOut = (value: unknown, indent: string, before: number): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  const members = Object.entries(value).map(([key, member]) => ({
    label: isList ? "" : `${JSON.stringify(key)}: `,
    member,
  }));
  const short = members.map(({ label, member }) => label + layOut(member, "", Number.NEGATIVE_INFINITY)).join(", ");
  const line = isList || short === "" ? `${open}${short}${close}` : `{ ${short} }`;
  if (indent.length + before + line.length < 120) return line;
  const deeper = `${indent}  `;
  const lines = members.map(({ label, member }) => `${deeper}${label}${layOut(member, deeper, label.length)}`);
  return `${open}\n${lines.join(",\n")}\n${indent}${close}`;
};

const cases = readdirSync(plans).filter((name) => existsSync(join(plans, name, "request.json")));

describe("a request becomes the spec that stands beside it", () => {
  for (const name of cases) {
    test(name, () => {
      const file = join(plans, name, "config.json");
      const config = readable(planCase(name));
      if (process.env.UPDATE_PLANS === "1") writeFileSync(file, config);
      assert.equal(config, readFileSync(file, "utf8"));
    });
  }
});

describe("runc runs what we plan", () => {
  const skip =
    spawnSync("runc", ["--version"]).status !== 0
      ? "runc is not installed"
      : process.getuid?.() !== 0 && "runc needs root";
  for (const name of [
    "default",
    "user-by-name",
    "drop-all",
    "read-only",
    "tmpfs",
    "network-none",
    "ipc-none",
    "sysctls",
  ]) {
    test(name, { skip }, () => runWithRunc(planCase(name, thisHost())));
  }
});

/** Runs the spec with a shell that says what it sees, in a root of busybox or of the host's own programs. */
const runWithRunc = (spec: OciSpec): void => {
  const bundle = mkdtempSync(join(tmpdir(), "pier-bundle-"));
  const id = `pier-test-${process.pid}-${Math.trunc(performance.now())}`;
  try {
    const root = join(bundle, "rootfs");
    const shown = "cat /proc/self/status /proc/self/mountinfo; echo HOME=$HOME; ulimit -n";
    for (const path of ["bin", "lib", "lib64", "usr", "etc", "srv"]) mkdirSync(join(root, path), { recursive: true });
    for (const name of ["resolv.conf", "hostname", "hosts"]) writeFileSync(join(bundle, name), "");
    const mine = (path: string) => path.replace(facts.directory, bundle);
    const binds = ["/bin", "/lib", "/lib64", "/usr"].map((path) => ({
      destination: path,
      type: "bind",
      source: path,
      options: ["rbind", "ro"],
    }));
    const mounts = spec.mounts.map((mount) => ({ ...mount, source: mine(mount.source) }));
    const adapted: OciSpec = {
      ...spec,
      mounts: [...binds, ...mounts],
      process: { ...spec.process, args: ["/bin/sh", "-c", shown], terminal: false },
      linux: { ...spec.linux, cgroupsPath: `/${id}` },
    };
    writeFileSync(join(bundle, "config.json"), encodeConfig(adapted));
    const args = ["--root", join(bundle, "state"), "run", "--bundle", bundle, id];
    const output = execFileSync("runc", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 20_000,
    });
    checkSeen(output, spec);
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
};

const checkSeen = (output: string, spec: OciSpec): void => {
  const mask = (names: readonly string[]) =>
    names.reduce((sum, name) => sum | (1n << BigInt((allCapabilities as readonly string[]).indexOf(name))), 0n);
  const seen = (field: string) => BigInt(`0x${new RegExp(`^${field}:\\s*(\\S+)$`, "m").exec(output)?.[1]}`);
  const { process: planned } = spec;
  assert.equal(seen("CapBnd"), mask(planned.capabilities.bounding));
  assert.equal(seen("CapEff"), mask(planned.capabilities.effective));
  assert.equal(seen("CapInh"), 0n);
  assert.equal(seen("CapAmb"), 0n);
  assert.match(output, new RegExp(`^Uid:\\s+${planned.user.uid}\\s`, "m"));
  const groups = /^Groups:\s*(.*)$/m.exec(output)?.[1]?.trim().split(" ").map(Number) ?? [];
  assert.deepEqual(groups.sort(), [...planned.user.additionalGids].sort());
  assert.match(output, /^1024$/m);
  for (const { destination } of spec.mounts)
    assert.ok(output.includes(` ${destination} `), `${destination} is mounted`);
};

describe("a spec cannot be planned", () => {
  const plan = (
    request: object,
    image: ImageDefaults = {},
    more: Partial<ContainerFacts> = {},
    on: Partial<SpecHost> = {},
  ) =>
    planSpec(
      parseCreateRequest({ Image: "x", Cmd: ["x"], ...request }),
      image,
      { ...facts, ...more },
      { ...host, ...on },
    );

  test("without a command", () => {
    assert.throws(() => plan({ Cmd: null }), { message: "no command specified", status: 400 });
    assert.throws(() => plan({ Cmd: null, Entrypoint: [""] }, { Cmd: ["serve"], Entrypoint: ["/e"] }), /no command/);
  });

  test("for a user that is not there", () => {
    assert.throws(() => plan({ User: "bob" }), /unable to find user bob: no matching entries in passwd file/);
  });

  test("with a source that is missing and was not to be made", () => {
    assert.throws(() => plan({ HostConfig: { Mounts: [{ Type: "bind", Source: "/x", Target: "/y" }] } }), {
      message: 'invalid mount config for type "bind": bind source path does not exist: /x',
    });
  });

  test("with propagation from a mount that has none", () => {
    const sources = { "/x": { kind: "directory", mount: { path: "/", shared: false, slave: false } } } as const;
    assert.throws(() => plan({ HostConfig: { Binds: ["/x:/y:rshared"] } }, {}, { sources }), {
      message: "path /x is mounted on / but it is not a shared mount",
    });
    assert.throws(() => plan({ HostConfig: { Binds: ["/x:/y:slave"] } }, {}, { sources }), {
      message: "path /x is mounted on / but it is not a shared or slave mount",
    });
  });

  test("with a device that is missing", () => {
    assert.throws(() => plan({ HostConfig: { Devices: [{ PathOnHost: "/dev/nothing" }] } }), {
      message:
        'error gathering device information while adding custom device "/dev/nothing": no such file or directory',
    });
  });

  test("with a capability that the host has not", () => {
    const capabilities = allCapabilities.filter((name) => name !== "CAP_BPF");
    assert.throws(() => plan({ HostConfig: { CapAdd: ["BPF"] } }, {}, {}, { capabilities }));
    assert.ok(plan({ HostConfig: { CapDrop: ["BPF"] } }, {}, {}, { capabilities }));
  });

  test("in the namespace of a container that is not there", () => {
    assert.throws(() => plan({ HostConfig: { PidMode: "container:gone" } }), /invalid pid mode: container:gone/);
  });
});

test("what an image contributes is contributed once", () => {
  const image: ImageDefaults = {
    Env: ["A=1", "B=2"],
    Entrypoint: ["/e"],
    Cmd: ["c"],
    User: "u",
    WorkingDir: "srv/../data/",
    Volumes: { "/v": {}, "/../w/": {}, "/": {}, "": {} },
    ExposedPorts: { "80": {}, "81/udp": {}, rubbish: {} },
    Labels: { a: "image", b: "image" },
    Healthcheck: { Test: ["CMD", "true"], Interval: 5_000_000 },
  };
  const once = mergeImage(parseCreateRequest({ Image: "x", Env: ["A=mine"], Labels: { a: "mine" } }), image);
  assert.deepEqual(mergeImage(once, image), once);
  assert.deepEqual(once.env, ["A=mine", "B=2"]);
  assert.deepEqual(once.labels, { a: "mine", b: "image" });
  assert.deepEqual(
    once.mounts.map(({ target }) => target),
    ["/v", "/w"],
  );
  assert.deepEqual(once.network.exposedPorts, ["80/tcp", "81/udp"]);
  assert.equal(once.workingDirectory, "/data");
  assert.deepEqual(commandOf(once), ["/e", "c"]);
  assert.deepEqual(commandOf(mergeImage(parseCreateRequest({ Image: "x", Entrypoint: ["/mine"] }), image)), ["/mine"]);
});

test("a container without a name for its host is called by its id, and the host's network by the host's", () => {
  const name = (hostConfig: object, config: object = {}) =>
    hostnameOf(parseCreateRequest({ Image: "x", ...config, HostConfig: hostConfig }), facts.id, host);
  assert.equal(name({}), "0123456789ab");
  assert.equal(name({}, { Hostname: "mine" }), "mine");
  assert.equal(name({ NetworkMode: "host" }), "the-host");
  assert.equal(name({ UTSMode: "host" }), "0123456789ab");
});
