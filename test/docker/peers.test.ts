/** Beside another engine on one host: each has what it had, and both are reached. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine, fixture } from "../engine.ts";
import { busybox, removeAll, runDetached, said, until } from "./containers.ts";
import { Podman } from "./registries.ts";

const [ours, theirs] = [18_080, 18_081];

describe("beside podman", { skip: cannotRun() || Podman.missing }, () => {
  const directory = mkdtempSync(join(tmpdir(), "pier-peers-"));
  let engine: Engine;
  let podman: Podman;

  const host = (command: string): string => execFileSync("sh", ["-ec", command], { encoding: "utf8" }).trim();
  const run = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await podman.run(args);
    assert.equal(code, 0, `podman ${args.join(" ")}\n${stdout}${stderr}`);
    return stdout.trim();
  };
  /** What is podman's on the host: its rules without what they have counted, its bridge, and the addresses of it. */
  const state = (): string =>
    host(`
      nft list tables | grep -v " pr" | while read -r table; do nft list $table 2>/dev/null; done | sed 's/packets [0-9]* bytes [0-9]*//'
      for link in $(ls /sys/class/net | grep -v ^pr); do echo $link $(cat /sys/class/net/$link/flags); done
      # An IPv6 address is tentative for its first second.
      ip -o address | grep podman | sed 's/ tentative//'`);
  const web = ["httpd", "-f", "-p", "80", "-h", "/etc"] as const;
  const serves = (address: string, port: number): Promise<void> =>
    until(`${address}:${port} answers`, () => {
      try {
        return host(`curl --silent --max-time 2 http://${address}:${port}/passwd`).includes("root");
      } catch {
        return false;
      }
    });

  const tables = (): string[] => host("nft list tables").split("\n");
  let foundTables: readonly string[];

  before(async () => {
    foundTables = tables();
    podman = new Podman(join(directory, "podman"));
    await run("load", "--quiet", "-i", fixture("busybox.docker-archive.tar"));
    // What podman leaves of its first container stays until the end, so that it is no leak of ours.
    await run("run", "--rm", "-p", `${theirs}:80`, busybox, "true");
    engine = await Engine.launch();
    await engine.load();
  });
  after(async () => {
    await run("rm", "--all", "--force", "--time", "0");
    await removeAll(engine);
    await engine.stop();
    rmSync(directory, { recursive: true });
    for (const table of tables()) if (!foundTables.includes(table)) host(`nft delete ${table}`);
    host("for link in cni-podman0 podman0; do ip link delete $link 2>/dev/null || true; done");
    host("umount --recursive /run/netns 2>/dev/null || true");
  });

  test("both are reached, and nothing of podman's is changed by what comes and goes here", async () => {
    await run("run", "-d", "--name", "there", "--log-driver", "k8s-file", "-p", `${theirs}:80`, busybox, ...web);
    await serves("127.0.0.1", theirs);
    const before = state();
    assert.match(before, /CNI|netavark/i);
    await said(engine, "network", "create", "beside");
    const subnets = await said(engine, "network", "inspect", "bridge", "beside", "--format", "{{json .IPAM.Config}}");
    const address = await run("inspect", "--format", "{{.NetworkSettings.IPAddress}}", "there");
    for (const [, subnet] of subnets.matchAll(/"Subnet":"(\d+\.\d+)\./g)) assert.ok(!address.startsWith(`${subnet}.`));
    const id = await runDetached(engine, "--network", "beside", "-p", `${ours}:80`, busybox, ...web);
    await serves("127.0.0.1", ours);
    await serves("127.0.0.1", theirs);
    await serves(address, 80);
    const out = await said(
      engine,
      "inspect",
      "--format",
      '{{(index .NetworkSettings.Networks "beside").IPAddress}}',
      id,
    );
    await serves(out, 80);
    assert.equal(state(), before);
    await said(engine, "rm", "--force", id);
    await said(engine, "network", "rm", "beside");
    assert.equal(state(), before);
    await serves("127.0.0.1", theirs);
  });

  test("a port that podman has is refused, and one of ours is kept when its containers go", async () => {
    const { code, stderr } = await engine.docker(["run", "--rm", "-p", `${theirs}:80`, busybox, "true"]);
    assert.equal(code, 125);
    assert.match(stderr, /address already in use/);
    await runDetached(engine, "-p", `${ours}:80`, busybox, ...web);
    await run("rm", "--force", "--time", "0", "there");
    await serves("127.0.0.1", ours);
  });
});
