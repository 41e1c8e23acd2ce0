/** The parts of the room that need no kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVolumeOptions } from "./options.ts";

const refuses = (reason: string, options: Record<string, string>): void =>
  assert.throws(
    () => parseVolumeOptions("v", options),
    (error: Error) => error.message === `create v: ${reason}`,
  );

test("without options a volume is a directory", () => {
  assert.deepEqual(parseVolumeOptions("v", null), { kind: "directory" });
  assert.deepEqual(parseVolumeOptions("v", {}), { kind: "directory" });
});

test("options are those of mount(8): flags apart from the data of the file system", () => {
  assert.deepEqual(parseVolumeOptions("v", { type: "tmpfs", device: "tmpfs", o: "size=1m,nosuid,ro,rw,uid=5" }), {
    kind: "mount",
    type: "tmpfs",
    device: "tmpfs",
    flags: 2,
    data: "size=1m,uid=5",
  });
  assert.deepEqual(parseVolumeOptions("v", { type: "nfs", device: ":/exports/a", o: "addr=192.0.2.1,vers=4" }), {
    kind: "mount",
    type: "nfs",
    device: ":/exports/a",
    flags: 0,
    data: "addr=192.0.2.1,vers=4",
  });
});

test("a bind is a directory of the host", () => {
  assert.deepEqual(parseVolumeOptions("v", { type: "none", device: "/srv/data", o: "bind" }), {
    kind: "bind",
    path: "/srv/data",
    options: [],
  });
  assert.deepEqual(parseVolumeOptions("v", { type: "none", device: "/a", o: "nodev,rbind,ro,uid=5,noexec,exec" }), {
    kind: "bind",
    path: "/a",
    options: ["ro", "nodev"],
  });
  refuses('the device of a bind must be an absolute path: "srv"', { type: "none", device: "srv", o: "bind" });
});

test("options that mean nothing are refused in Docker's words", () => {
  refuses('invalid option: "foo"', { foo: "bar" });
  refuses('invalid option: "__proto__"', JSON.parse('{"__proto__":"x"}') as Record<string, string>);
  refuses('missing required option: "type"', { device: "/x" });
  refuses('missing required option: "device"', { type: "tmpfs" });
  refuses('missing required option: "device"', { o: "bind" });
  refuses("quota size requested but no quota support", { size: "1g" });
});
