/** What the tests ask of containers again and again. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { Engine } from "../engine.ts";
import { patience } from "../patience.ts";

export const busybox = "fixture/busybox:1.35";

/** What the command printed, without the last newline; it must succeed. */
export const said = async (engine: Engine, ...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await engine.docker(args);
  assert.equal(code, 0, `docker ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout.replace(/\n$/, "");
};

/** The id of a container that runs. */
export const runDetached = (engine: Engine, ...args: readonly string[]): Promise<string> =>
  said(engine, "run", "--detach", ...args);

export const inspected = (engine: Engine, format: string, ...ids: readonly string[]): Promise<string> =>
  said(engine, "inspect", "--format", format, ...ids);

/** The first process of a container, as the host counts. */
export const pidOf = async (engine: Engine, id: string): Promise<number> =>
  Number(await inspected(engine, "{{.State.Pid}}", id));

const statusOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
};

/** Zombies are dead. */
export const isAlive = (pid: number): boolean => /^State:\s+[^ZX]/m.test(statusOf(pid));

/** The parent of a container's first process, while it lives. */
export const keeperOf = (pid: number): number => Number(/^PPid:\s*(\d+)/m.exec(statusOf(pid))?.[1]);

const lookAgainAfter = 10;
const deadline = 10_000;

/** For what the kernel does in its own time and tells nobody. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>, limit = deadline): Promise<void> => {
  const end = performance.now() + patience(limit);
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`not within ${limit} ms: ${what}`);
    await setTimeout(lookAgainAfter);
  }
};

export const removeAll = async (engine: Engine): Promise<void> => {
  const ids = (await said(engine, "ps", "-aq")).split("\n").filter((id) => id !== "");
  if (ids.length > 0) await said(engine, "rm", "--force", "--volumes", ...ids);
};

/** Collects what a client says; `seen` resolves when its standard output matches. */
export class Listener {
  text = "";
  errors = "";
  readonly child: ChildProcess;
  #look: () => void = () => {};

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on("data", (chunk: Buffer) => {
      this.text += chunk.toString();
      this.#look();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
    child.stdin?.on("error", () => {});
    child.on("close", () => this.#look());
  }

  seen(pattern: RegExp): Promise<void> {
    const shown = new Promise<void>((resolve, reject) => {
      this.#look = () => {
        const isOver = this.child.exitCode !== null || this.child.signalCode !== null;
        if (pattern.test(this.text)) resolve();
        else if (isOver) reject(new Error(`it ended without ${pattern}: ${this.text}${this.errors}`));
      };
      this.#look();
    });
    return this.#inTime(`${pattern}`, shown);
  }

  /** Its exit code. */
  ended(): Promise<number> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode ?? -1);
    const over = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)));
    return this.#inTime("its end", over);
  }

  async #inTime<T>(what: string, awaited: Promise<T>): Promise<T> {
    const timer = new AbortController();
    const late = setTimeout(patience(deadline), "late" as const, { signal: timer.signal });
    late.catch(() => {});
    const first = await Promise.race([awaited, late]);
    timer.abort();
    if (first !== "late") return first;
    this.child.kill("SIGKILL");
    return assert.fail(`${what}: not within ${deadline} ms, but: ${this.text}${this.errors}`);
  }
}

/** A container whose log says already that it listens. */
export const runServer = async (engine: Engine, ...args: readonly string[]): Promise<string> => {
  const id = await runDetached(engine, ...args);
  const log = new Listener(engine.spawn("docker", ["logs", "--follow", id]));
  await log.seen(/^listening/);
  log.child.kill("SIGKILL");
  return id;
};

/** What a TCP server answers up to its end; an error's code when it cannot be reached. */
export const askTcp = (address: string, port: number, text: string): Promise<string> =>
  new Promise((resolve) => {
    let answer = "";
    const socket = createConnection({ host: address, port });
    socket.setTimeout(patience(5_000), () => socket.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })));
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("close", () => resolve(answer));
    socket.end(text);
  });
