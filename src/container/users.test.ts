import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PierError } from "../base/errors.ts";
import { homeOf, resolveUser, type UserFiles } from "./users.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh
nohome:x:1001:1001::
`;
const group = `root:x:0:
tty:x:5:alice
www-data:x:33:
audio:x:29:alice,root
alice:x:1000:
`;
const files: UserFiles = { passwd: bytes(passwd), group: bytes(group) };
const refusal = (message: string) => (error: unknown) =>
  error instanceof PierError && error.message === message && error.status === 400;

describe("a user is resolved as Docker resolves it", () => {
  const cases: readonly [string, number, number, readonly number[], string, string][] = [
    ["", 0, 0, [0, 29], "/root", "root"],
    ["root", 0, 0, [0, 29], "/root", "root"],
    ["0", 0, 0, [0, 29], "/root", "root"],
    ["alice", 1000, 1000, [1000, 5, 29], "/home/alice", "alice"],
    ["1000", 1000, 1000, [1000, 5, 29], "/home/alice", "alice"],
    ["alice:tty", 1000, 5, [5], "/home/alice", "alice"],
    ["alice:7777", 1000, 7777, [7777], "/home/alice", "alice"],
    ["root:0", 0, 0, [0], "/root", "root"],
    ["1:", 1, 0, [0], "/", ""],
    [":5", 0, 5, [5], "/root", "root"],
    ["4242", 4242, 0, [0], "/", ""],
    ["4242:4243", 4242, 4243, [4243], "/", ""],
    ["2147483647", 2147483647, 0, [0], "/", ""],
    ["0001000", 1000, 1000, [1000, 5, 29], "/home/alice", "alice"],
    ["nohome", 1001, 1001, [1001], "/", "nohome"],
  ];
  for (const [spec, uid, gid, groups, home, name] of cases) {
    test(`"${spec}"`, () => assert.deepEqual(resolveUser(spec, files), { uid, gid, groups, home, name }));
  }
});

describe("what is no user is refused", () => {
  const range = "uids and gids must be in range 0-2147483647";
  const cases: readonly [string, string][] = [
    ["bob", "unable to find user bob: no matching entries in passwd file"],
    ["alice:nobody", "unable to find group nobody: no matching entries in group file"],
    ["2147483648", range],
    ["4294967296", range],
    ["18446744073709551616", range],
    ["99999999999999999999999999", range],
    ["-1", range],
    ["+1", range],
    ["0:4294967296", range],
    ["0x0", "unable to find user 0x0: no matching entries in passwd file"],
    [" 1", "unable to find user  1: no matching entries in passwd file"],
    ["1e3", "unable to find user 1e3: no matching entries in passwd file"],
  ];
  for (const [spec, message] of cases) {
    test(`"${spec}"`, () => assert.throws(() => resolveUser(spec, files), refusal(message)));
  }
});

test("digits are never looked up as a name", () => {
  const crafted = bytes("4294967296:x:0:0::/root:/bin/sh\n1000:x:0:0::/root:/bin/sh\n+1:x:0:0::/root:/bin/sh\n");
  assert.throws(() => resolveUser("4294967296", { passwd: crafted }));
  assert.throws(() => resolveUser("+1", { passwd: crafted }));
  assert.equal(resolveUser("1000", { passwd: crafted }).uid, 1000);
  const groups = bytes("1000:x:0:\n");
  assert.equal(resolveUser("0:1000", { group: groups }).gid, 1000);
});

test("a line whose ids are no ids does not count", () => {
  for (const line of [
    "eve:x:4294967296:0::/:",
    "eve:x::0::/:",
    "eve:x:-1:0::/:",
    "eve:x:0x0:0::/:",
    "eve:x:0 :0::/:",
    "eve:x",
    "eve",
    "eve:x:0\0:0::/:",
  ]) {
    const message = "unable to find user eve: no matching entries in passwd file";
    assert.throws(() => resolveUser("eve", { passwd: bytes(line) }), refusal(message), line);
  }
});

test("the primary group is among the groups, first, and each is there once", () => {
  const user = resolveUser("alice", files, ["tty", "1000", "77", "77"]);
  assert.deepEqual(user.groups, [1000, 5, 29, 77]);
  assert.throws(
    () => resolveUser("alice", files, ["ghosts"]),
    refusal("unable to find group ghosts: no matching entries in group file"),
  );
});

test("without the files there are numbers and root", () => {
  assert.deepEqual(resolveUser("", {}), { uid: 0, gid: 0, groups: [0], home: "/", name: "" });
  assert.throws(() => resolveUser("root", {}), refusal("unable to find user root: no matching entries in passwd file"));
});

test("a home comes from one line and holds no newline", () => {
  const crafted = bytes("x:x:5:5::/tmp\nroot2:x:0:0::/root:\n");
  assert.equal(resolveUser("5", { passwd: crafted }).home, "/tmp");
  assert.equal(homeOf(1000, files.passwd), "/home/alice");
  assert.equal(homeOf(4242, files.passwd), "/");
  assert.equal(homeOf(0, undefined), "/");
});

test("a hundred thousand groups take less than a second, and more than the kernel takes are refused", () => {
  const lines = Array.from({ length: 100_000 }, (_, gid) => `g${gid}:x:${gid}:${gid < 60_000 ? "alice" : ""}`);
  const many = bytes(lines.join("\n"));
  const start = performance.now();
  assert.equal(resolveUser("alice", { passwd: bytes(passwd), group: many }).groups.length, 60_000);
  assert.ok(performance.now() - start < 1000);
  const all = bytes(lines.map((_, gid) => `g${gid}:x:${gid}:alice`).join("\n"));
  assert.throws(() => resolveUser("alice", { passwd: bytes(passwd), group: all }), /no more than 65536/);
});
