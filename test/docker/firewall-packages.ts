/** Debian's ufw and firewalld, as if they were installed: in a mount namespace where their files lie over the machine's. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./containers.ts";

const packages = fileURLToPath(new URL("../../build/tools/firewalls", import.meta.url));
const bus = "/run/dbus/system_bus_socket";

/** Why they cannot be tried here, or false. */
export const noFirewalls = (): string | false => {
  if (process.env.PIER_LONG !== "1") return "their programs take a minute; type: npm run test:firewalls";
  if (!existsSync(packages)) return "firewalld and ufw are missing; type: sh scripts/test-packages";
  return existsSync(bus) && "a system bus of this machine's own runs: its firewalld would be meant";
};

export class Firewalls {
  readonly #holder: ChildProcess;
  readonly #scratch = mkdtempSync(join(tmpdir(), "pier-firewalls-"));
  readonly #children: ChildProcess[] = [];
  /** The PATH of whoever is to find their commands. */
  readonly path = `${this.#scratch}:${process.env.PATH ?? ""}`;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
    // Commands go to where the files are.
    const command = join(this.#scratch, "firewall-cmd");
    writeFileSync(command, `#!/bin/sh\nexec nsenter -t ${holder.pid} -m /usr/bin/firewall-cmd "$@"\n`);
    chmodSync(command, 0o755);
  }

  static async open(): Promise<Firewalls> {
    const commands = [
      "mount -t tmpfs tmpfs /mnt",
      "mkdir /mnt/upper /mnt/work",
      `mount -t overlay overlay -o lowerdir=${packages}/usr:/usr /usr`,
      `mount -t overlay overlay -o lowerdir=${packages}/etc:/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc`,
      "echo ready",
      "exec sleep 1000000",
    ];
    const holder = spawn("unshare", ["-m", "sh", "-ec", commands.join("\n")], { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    return new Firewalls(holder);
  }

  run(command: string): string {
    return execFileSync("nsenter", ["-t", `${this.#holder.pid}`, "-m", "sh", "-ec", command], { encoding: "utf8" });
  }

  /** Holds afterwards: firewalld answers, on a bus of its own. */
  async startFirewalld(): Promise<void> {
    this.run("mkdir -p /run/dbus");
    this.#begin("dbus-daemon", "--system", "--nofork", "--nopidfile");
    await until("the bus is there", () => existsSync(bus));
    this.#begin("firewalld", "--nofork", "--nopid");
    const isRunning = (): boolean => this.run("firewall-cmd --state 2>/dev/null || true").trim() === "running";
    await until("firewalld answers", isRunning, 60_000);
  }

  async close(): Promise<void> {
    for (const child of this.#children.reverse()) {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    rmSync(bus, { force: true });
    this.#holder.kill("SIGKILL");
    await once(this.#holder, "exit");
    rmSync(this.#scratch, { recursive: true });
  }

  #begin(...words: readonly string[]): void {
    const inside = ["-t", `${this.#holder.pid}`, "-m", ...words];
    this.#children.push(spawn("nsenter", inside, { stdio: "ignore" }));
  }
}
