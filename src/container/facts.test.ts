import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ContainerId } from "../base/ids.ts";
import { collectFacts, findProcessors, parseMaxOpenFiles, parseMountInfo } from "./facts.ts";
import { deviceNumber } from "./facts-devices.ts";
import { parseCreateRequest } from "./request-parse.ts";
import { parseNumberList } from "./request-resources.ts";

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "pier-facts-"));
});
after(() => rm(directory, { recursive: true, force: true }));

const collect = (hostConfig: object) =>
  collectFacts(parseCreateRequest({ Image: "x", HostConfig: hostConfig }), {
    id: "0".repeat(64) as ContainerId,
    directory,
    cgroupParent: "/pier",
    volumes: new Map(),
    tree: { read: (path) => new TextEncoder().encode(path) },
  });

test("the files of the root that name users", async () => {
  const { users } = await collect({});
  assert.equal(new TextDecoder().decode(users.passwd), "/etc/passwd");
  assert.equal(new TextDecoder().decode(users.group), "/etc/group");
});

test("what stands at the sources of binds", async () => {
  await mkdir(join(directory, "dir"));
  await writeFile(join(directory, "file"), "");
  await symlink("dir", join(directory, "link"));
  const source = (name: string) => join(directory, name);
  const names = ["dir", "file", "link", "missing", "file/beneath"];
  const { sources } = await collect({ Binds: names.map((name, index) => `${source(name)}:/m${index}`) });
  assert.deepEqual(
    names.map((name) => sources[source(name)]),
    ["directory", "file", "directory", "missing", "missing"].map((kind) => ({ kind })),
  );
});

test("where a source is mounted, when mounts are to spread", async () => {
  const { sources } = await collect({ Binds: [`${directory}:/m:rslave`] });
  const fact = sources[directory];
  assert.equal(fact?.kind, "directory");
  assert.ok(`${directory}/`.startsWith(fact?.mount?.path ?? "nowhere"));
});

test("devices, by their numbers", async () => {
  const { devices } = await collect({
    Devices: [
      { PathOnHost: "/dev/null" },
      { PathOnHost: "/dev/none" },
      { PathOnHost: directory },
      { PathOnHost: "/etc/passwd" },
    ],
  });
  const [device] = Array.isArray(devices["/dev/null"]) ? devices["/dev/null"] : [];
  assert.deepEqual([device?.type, device?.major, device?.minor, device?.beneath], ["c", 1, 3, ""]);
  assert.deepEqual(devices["/dev/none"], { missing: "no such file or directory" });
  assert.deepEqual(devices["/etc/passwd"], { missing: "not a device node" });
  assert.deepEqual(devices[directory], []);
});

test("all devices of the host, for a privileged container alone", async () => {
  assert.deepEqual((await collect({})).hostDevices, []);
  const { hostDevices } = await collect({ Privileged: true });
  assert.ok(hostDevices.some(({ path, major, minor }) => path === "/dev/null" && major === 1 && minor === 3));
  assert.ok(
    !hostDevices.some(({ path }) => path.startsWith("/dev/pts/") || path === "/dev/ptmx" || path === "/dev/console"),
  );
});

test("an /etc/passwd that is mounted is read, if it is a file, and not without end", async () => {
  const path = join(directory, "passwd");
  await writeFile(path, "me:x:1:1::/home/me:\n");
  const { mountedPasswd } = await collect({ Binds: [`${path}:/etc/passwd:ro`] });
  assert.equal(new TextDecoder().decode(mountedPasswd), "me:x:1:1::/home/me:\n");
  await truncate(path, 2 ** 33);
  assert.ok(((await collect({ Binds: [`${path}:/etc/passwd`] })).mountedPasswd?.length ?? 0) <= 10 * 1024 * 1024);
  for (const other of ["/dev/zero", directory, join(directory, "missing")]) {
    assert.equal((await collect({ Binds: [`${other}:/etc/passwd`] })).mountedPasswd, undefined);
  }
});

test("mountinfo is read with its optional fields and its escapes", () => {
  const lines = [
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "23 22 0:5 / /a\\040b rw master:3 propagate_from:2 - tmpfs none rw",
    "24 22 0:6 / /c rw - tmpfs none rw",
  ];
  assert.deepEqual(parseMountInfo(`${lines.join("\n")}\n`), [
    { path: "/", shared: true, slave: false },
    { path: "/a b", shared: false, slave: true },
    { path: "/c", shared: false, slave: false },
  ]);
});

test("device numbers have more bits than they once had", () => {
  assert.deepEqual(deviceNumber(0x103n), { major: 1, minor: 3 });
  assert.deepEqual(deviceNumber(0x8800n), { major: 0x88, minor: 0 });
  assert.deepEqual(deviceNumber(0x0000_1000_fff0_0fffn), { major: 0x100f, minor: 0xfff00 | 0xff });
});

test("limits and processors of this machine", async () => {
  assert.equal(
    parseMaxOpenFiles("Max open files            1024                 20000                files\n"),
    20_000,
  );
  assert.equal(
    parseMaxOpenFiles("Max open files            1024                 unlimited            files\n"),
    Number.MAX_SAFE_INTEGER,
  );
  const { online, memoryNodes } = await findProcessors();
  assert.ok((parseNumberList(online)?.size ?? 0) > 0);
  assert.ok((parseNumberList(memoryNodes)?.size ?? 0) > 0);
});
