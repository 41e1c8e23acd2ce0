/** `pier check` says what a host can do, by trying it, and leaves the host as it was. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { cannotRun, executable } from "../engine.ts";
import { execute, type Ran } from "../execute.ts";
import { assertNoLeaks, leakSet } from "../kernel/leaks.ts";

interface Found {
  readonly canRun: boolean;
  readonly checks: readonly { readonly name: string; readonly works: boolean; readonly remedy?: string }[];
}

describe("pier check", { skip: cannotRun() }, () => {
  const directory = mkdtempSync(join(tmpdir(), "pier-check-"));
  const root = join(directory, "root");
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** On the host as the commands of `lacking` have made it, in namespaces that go with it. */
  const check = (lacking: readonly string[] = [], ...words: readonly string[]): Promise<Ran> => {
    const command = [executable, "check", "--root", root, ...words];
    if (lacking.length === 0) return execute(executable, command.slice(1));
    const script = [...lacking, 'exec "$@"'].join(" && ");
    return execute("unshare", ["--mount", "--net", "sh", "-c", script, "sh", ...command]);
  };
  /** What is missing there, by name, with the remedy. */
  const missing = async (...lacking: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    const { code, stdout, stderr } = await check(lacking, "--format", "json");
    assert.equal(stderr, "");
    const { canRun, checks } = JSON.parse(stdout) as Found;
    assert.equal(code, canRun ? 0 : 1);
    return new Map(checks.filter(({ works }) => !works).map(({ name, remedy = "" }) => [name, remedy]));
  };
  const rules = (): string => execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" });

  test("a host on which containers run can run them, and nothing of it is changed", async () => {
    const scope = { directories: [directory] };
    const before = leakSet(scope);
    const filters = rules();
    const { code, stdout } = await check();
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^kernel\n {2}ok +namespaces /);
    assert.match(stdout, /\npier can run here/);
    await assertNoLeaks(before, scope);
    assert.equal(rules(), filters);
    assert.deepEqual(readdirSync(directory), []);
  });

  test("a file system on which overlayfs cannot write is no place for a root", async () => {
    const parts = ["lower", "upper", "work", "merged"].map((name) => join(directory, name));
    for (const part of parts) mkdirSync(part);
    const [lower, upper, work, merged] = parts;
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    const lacks = await missing(
      `mount -t overlay -o ${options} overlay ${merged}`,
      `set -- "$1" check --root ${merged}/root --format json`,
    );
    assert.match(lacks.get("overlayfs") ?? "", /--root DIR/);
    for (const part of parts) rmSync(part, { recursive: true });
  });

  test("a disk that is read-only or too small is said to be", async () => {
    const place = join(directory, "disk");
    mkdirSync(place);
    const on = `set -- "$1" check --root ${place}/root --format json`;
    assert.match((await missing(`mount -t tmpfs -o ro tmpfs ${place}`, on)).get("trials") ?? "", /--root DIR/);
    const small = await missing(`mount -t tmpfs -o size=64m tmpfs ${place}`, on);
    assert.ok(small.has("space"));
    assert.ok(!small.has("overlayfs"));
    rmSync(place, { recursive: true });
  });

  test("without control groups no container runs, and what mounts them is named", async () => {
    const lacks = await missing("umount -R -l /sys/fs/cgroup");
    assert.match(lacks.get("groups") ?? "", /^mount -t cgroup2 /);
    assert.ok(lacks.has("memory"));
  });

  test("a host that may not pass packets on has no default network", async () => {
    const lacks = await missing(
      "echo 0 >/proc/sys/net/ipv4/ip_forward",
      "mount --bind /proc/sys /proc/sys",
      "mount -o remount,bind,ro /proc/sys",
    );
    assert.match(lacks.get("forwarding") ?? "", /ip_forward/);
    assert.ok(!lacks.has("namespaces"));
  });

  test("whoever is not root is told so, and what nobody knows is refused", async () => {
    const user = await execute("setpriv", ["--reuid", "12345", "--clear-groups", executable, "check"]);
    assert.equal(user.code, 1);
    assert.match(user.stdout, /try: sudo pier check/);
    assert.equal((await check([], "--format", "yaml")).code, 125);
    assert.equal((await check([], "--help")).code, 0);
  });
});
