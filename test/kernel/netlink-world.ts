/** Network namespaces to try plans in, without a keeper: the steps about the network are carried out one by one. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Step } from "../../src/kernel/steps.ts";
import { patience } from "../patience.ts";

const isThere = (command: string, flag: string): boolean => spawnSync(command, [flag]).error === undefined;

const reasons = [
  { holds: process.getuid?.() !== 0, reason: "namespaces need root" },
  { holds: !isThere("cc", "--version"), reason: "a C compiler is needed: apt-get install gcc libc6-dev" },
  { holds: !isThere("ip", "-V"), reason: "ip is needed: apt-get install iproute2" },
  { holds: !isThere("nft", "--version"), reason: "nft is needed: apt-get install nftables" },
];

/** Why tests with namespaces cannot run here, or false. */
export const noWorld: string | false = reasons.find(({ holds }) => holds)?.reason ?? false;

/** A network namespace, held by a process that does nothing. */
export class Namespace {
  readonly #world: World;
  readonly #holder: ChildProcess;
  readonly pid: number;

  constructor(world: World, holder: ChildProcess) {
    this.#world = world;
    this.#holder = holder;
    this.pid = holder.pid!;
  }

  /** What the command prints; it must succeed. */
  run(command: string, input: string | Uint8Array = ""): string {
    return execFileSync("nsenter", ["-t", String(this.pid), "-n", "sh", "-ec", command], {
      input,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  json<T>(command: string): T {
    return JSON.parse(this.run(command)) as T;
  }

  /** The errors of the answers, by message, as the kernel numbered them: 0 is fine. */
  send(protocol: number, messages: Uint8Array): number[] {
    const answers = this.run(`${this.#world.program("netlink-send")} ${protocol}`, messages);
    return [...answers.matchAll(/^\d+ (\d+)$/gm)].map((match) => Number(match[1]));
  }

  /** Carries out the steps that concern the kernel's network; sockets (`bindPort`, `relay`) are left out. */
  apply(steps: readonly Step[], firstProcess = 0): void {
    for (const step of steps) {
      const error = this.#applyOne(step, firstProcess);
      assert.ok(error === 0 || step.tolerate?.includes(error), `error ${error}: ${step.why}`);
    }
  }

  #applyOne(step: Step, firstProcess: number): number {
    if (step.step === "bindPort" || step.step === "relay") return 0;
    if (step.step === "write") return this.#write(step.path, step.content);
    if (step.step === "sysctl") {
      return this.#write(`/proc/sys/${step.name.replaceAll(".", "/")}`, new TextEncoder().encode(step.value));
    }
    assert.ok(step.step === "netlink", step.step);
    const messages = Buffer.from(step.messages);
    for (const at of step.pidAt) messages.writeUInt32LE(firstProcess, Number(at));
    return this.send(Number(step.protocol), messages).find((error) => error !== 0) ?? 0;
  }

  #write(path: string, content: Uint8Array): number {
    const enoent = 2;
    return this.run(`test -e ${path} || { echo missing; exit; }; cat > ${path}`, content) === "" ? 0 : enoent;
  }

  /** Answers everybody who comes to the port with the address that they come from. */
  async serve(protocol: "tcp" | "udp", port: number): Promise<void> {
    const peer = this.#world.program("netlink-peer");
    await this.#world.hold("nsenter", ["-t", String(this.pid), "-n", peer, "serve", protocol, String(port)]);
  }

  /** The address that a server sees this namespace come from, or an error's name: on a busy machine an answer takes its time. */
  ask(protocol: "tcp" | "udp", address: string, port: number, sourcePort?: number): string {
    return this.#ask(patience(10_000), protocol, address, port, sourcePort ?? "");
  }

  /** The same where no answer is to come: `silence`. */
  askInVain(protocol: "tcp" | "udp", address: string, port: number): string {
    return this.#ask(300, protocol, address, port);
  }

  #ask(...question: readonly (string | number)[]): string {
    return this.run([this.#world.program("netlink-peer"), "ask", ...question].join(" ")).trim();
  }

  async end(): Promise<void> {
    const ended = once(this.#holder, "exit");
    this.#holder.kill("SIGKILL");
    await ended;
  }
}

/** Everything in it is gone with its disposal. */
export class World implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "pier-netlink-"));
  readonly #children = new Set<ChildProcess>();

  constructor() {
    for (const name of ["netlink-send", "netlink-peer"]) {
      const source = new URL(`${name}.c`, import.meta.url).pathname;
      execFileSync("cc", ["-std=gnu17", "-O1", "-Wall", "-Wextra", "-o", this.program(name), source]);
    }
  }

  program(name: string): string {
    return join(this.#directory, name);
  }

  async namespace(): Promise<Namespace> {
    return new Namespace(this, await this.hold("unshare", ["-n", "sh", "-c", "echo ready; exec sleep 1000000"]));
  }

  /** A process that has printed its first line. */
  async hold(command: string, args: readonly string[]): Promise<ChildProcess> {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#children.add(child);
    child.on("exit", () => this.#children.delete(child));
    await once(child.stdout!, "data");
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const children = [...this.#children];
    const ended = children.map((child) => once(child, "exit"));
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(ended);
    rmSync(this.#directory, { recursive: true });
  }
}
