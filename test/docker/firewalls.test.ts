/** Beside other firewalls with their default policies: what is published is reached, what is not is not, theirs stays. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { imageOf } from "../probe/image.ts";
import { inspected, Listener, runDetached, runServer, said, until } from "./containers.ts";
import { Firewalls, noFirewalls } from "./firewall-packages.ts";
import { closeNeighbour, hostAddress, neighbourAddress, openNeighbour } from "./neighbour.ts";

const probe = join(executable, "../probe");
const bridgeCalls = "/proc/sys/net/bridge/bridge-nf-call-iptables";

const sh = (command: string): string => execFileSync("sh", ["-ec", command], { encoding: "utf8" });
const has = (program: string): boolean => {
  try {
    sh(`command -v ${program}`);
    return true;
  } catch {
    return false;
  }
};

/** All that a firewall of iptables has. */
const rulesOf = (program: string): string => sh(`${program}-save 2>/dev/null`).replace(/^#.*\n|\[\d+:\d+\]/gm, "");

describe("beside another firewall", { skip: cannotRun() }, () => {
  let neighbour: ChildProcess;
  const there = async (...args: readonly string[]): Promise<string> =>
    (await execute("nsenter", ["-t", String(neighbour.pid), "-n", probe, ...args])).stdout.trimEnd();

  before(async () => {
    neighbour = await openNeighbour();
  });
  after(async () => {
    await closeNeighbour(neighbour);
  });

  /**
   * An engine that begins now works in every way, with packets of one bridge filtered too, and is gone again; `later`
   * happens when its containers run already, and `inTheEnd` before they are gone.
   */
  const works = async (
    env: NodeJS.ProcessEnv = {},
    later: () => void = () => {},
    inTheEnd: () => void = () => {},
  ): Promise<void> => {
    const calls = existsSync(bridgeCalls) ? readFileSync(bridgeCalls, "utf8") : undefined;
    const engine = await Engine.launch({ env });
    try {
      await engine.load(await imageOf());
      const server = await runServer(engine, "-p", "24100:80", "probe", "tcp-serve", "0.0.0.0", "80");
      const client = await runDetached(engine, "probe", "sleep");
      const address = await inspected(engine, "{{.NetworkSettings.IPAddress}}", server);
      const within = (...args: readonly string[]): Promise<string> => said(engine, "exec", client, "/probe", ...args);
      const outside = spawn("nsenter", ["-t", `${neighbour.pid}`, "-n", probe, "tcp-serve", "0.0.0.0", "9100"]);
      try {
        await new Listener(outside).seen(/listening/);
        later();
        const ask = ["exec", client, "/probe", "tcp-ask", neighbourAddress, "9100", "out"];
        await until("a container reaches others", async () => (await engine.docker(ask)).stdout === "answer: out\n");
        engine.acceptBuild();
      } finally {
        outside.kill("SIGKILL");
      }
      assert.equal(await there("tcp-ask", hostAddress, "24100", "in"), "answer: in");
      for (const value of calls === undefined ? [] : ["0", "1"]) {
        writeFileSync(bridgeCalls, value);
        assert.equal(
          await within("tcp-ask", address, "80", "near"),
          "answer: near",
          `bridge-nf-call-iptables ${value}`,
        );
        assert.equal(await within("tcp-ask", hostAddress, "24100", "hairpin"), "answer: hairpin");
        assert.equal(await said(engine, "exec", server, "/probe", "tcp-ask", hostAddress, "24100", "me"), "answer: me");
      }
      execFileSync("nsenter", ["-t", `${neighbour.pid}`, "-n", "ip", "route", "replace", address, "via", hostAddress]);
      assert.doesNotMatch(await there("tcp-ask", address, "80", "crafted"), /^answer/);
    } finally {
      inTheEnd();
      if (calls !== undefined) writeFileSync(bridgeCalls, calls);
      await engine.stop();
    }
  };

  const isThere = (program: string): { skip: string | false } => ({ skip: !has(program) && "it is not installed" });

  test("that drops what passes through: iptables-legacy", isThere("iptables-legacy"), async () => {
    sh("iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -i nobody0 -j ACCEPT");
    const rules = rulesOf("iptables-legacy");
    try {
      await works();
      assert.equal(rulesOf("iptables-legacy"), rules);
    } finally {
      sh("iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F FORWARD");
    }
  });

  /** What is not a rule of the daemon's. */
  const own = (...programs: readonly string[]): string =>
    programs
      .map(rulesOf)
      .join("")
      .replace(/^-A FORWARD -[io] pr[0-9a-f]{5}\+ .*\n/gm, "");

  test("that begins to drop under a daemon that runs: iptables-nft", isThere("iptables-nft"), async () => {
    let [before, after] = ["", ""];
    sh("iptables-nft -P FORWARD ACCEPT");
    const turnOn = (): void => {
      sh("iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -i nobody0 -j ACCEPT");
      before = own("iptables-nft");
    };
    const turnOff = (): void => {
      after = own("iptables-nft");
      sh("iptables-nft -P FORWARD ACCEPT; iptables-nft -D FORWARD -i nobody0 -j ACCEPT");
    };
    await works({}, turnOn, turnOff);
    assert.equal(after, before);
    assert.doesNotMatch(rulesOf("iptables-nft"), /pr[0-9a-f]{5}/, "ours are taken out again");
  });

  test("that is ufw, with its default policies, turned on under a daemon that runs", {
    skip: noFirewalls(),
  }, async () => {
    const packages = await Firewalls.open();
    let [before, after] = ["", ""];
    const turnOn = (): void => {
      packages.run("echo y | ufw enable; ufw reload");
      before = own("iptables", "ip6tables");
    };
    const turnOff = (): void => {
      after = own("iptables", "ip6tables");
      packages.run("ufw disable");
      sh("nft 'delete table ip filter; delete table ip6 filter'");
    };
    try {
      await works({}, turnOn, turnOff);
      assert.equal(after, before);
    } finally {
      await packages.close();
    }
  });

  test("that is firewalld, with its default zone, and rules that a reload takes away", {
    skip: noFirewalls(),
  }, async () => {
    const packages = await Firewalls.open();
    try {
      await packages.startFirewalld();
      const table = (): string => sh("nft list table inet firewalld");
      const before = table();
      const env = { PATH: packages.path };
      const engine = await Engine.launch({ env });
      assert.match(packages.run("firewall-cmd --get-active-policies"), /pr[0-9a-f]{5}-out/);
      await engine.stop();
      assert.equal(table(), before);
      packages.run("firewall-cmd --add-port=9999/tcp");
      await works(env, () => {
        // The owner's rules that are on no record are still there, and the reload is the owner's.
        assert.equal(packages.run("firewall-cmd --list-ports"), "9999/tcp\n");
        packages.run("firewall-cmd --reload");
      });
      assert.equal(table(), before);
      assert.equal(packages.run("find /etc/firewalld -name 'pr*.xml'"), "");
    } finally {
      await packages.close();
      sh("nft delete table inet firewalld || true");
    }
  });

  test("that is Docker's", { skip: !has("dockerd") && "dockerd is not installed" }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "pier-docker-"));
    const socket = join(directory, "docker.sock");
    const places = ["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")];
    // Docker's policy is to drop where it is the first to turn forwarding on.
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "0");
    const log = openSync(join(directory, "log"), "a");
    const daemon = spawn("dockerd", [...places, "-H", `unix://${socket}`, "-p", join(directory, "pid")], {
      stdio: ["ignore", log, log],
      // Its processes end with it.
      detached: true,
    });
    try {
      const rules = (): string => rulesOf("iptables");
      await until("dockerd serves", () => readFileSync(join(directory, "log"), "utf8").includes("API listen on"));
      assert.match(rules(), /^:FORWARD DROP/m);
      const before = rules();
      await works();
      assert.equal(rules(), before);
    } finally {
      process.kill(-daemon.pid!, "SIGTERM");
      await once(daemon, "exit");
      closeSync(log);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
