/** An engine among canaries: what every file of this suite begins and ends with. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Runner } from "../docker/run.ts";
import { Engine, type EngineOptions } from "../engine.ts";
import type { Ran } from "../execute.ts";
import { type ImageFile, type ImageOptions, imageOf, probeLayer } from "../probe/image.ts";
import { Canary } from "./canary.ts";

export const probePath = fileURLToPath(new URL("../../build/probe", import.meta.url));

/** Whether the racing tests take as long as they like: `npm run test:escape -- --long`. */
export const isLong = process.env.PIER_LONG === "1";

/** The most memory that a process has had since it was asked to forget, in kilobytes. */
export const peakMemory = (pid: number): number =>
  Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** Does it again and again for as long as a race lasts: all of the suite's together are 30 s, the long form's an hour. */
export const race = async (seconds: number, turn: () => Promise<void>): Promise<void> => {
  const end = performance.now() + seconds * (isLong ? 60_000 : 500);
  while (performance.now() < end) await turn();
};

export class Stage implements AsyncDisposable {
  readonly engine: Engine;
  readonly canary: Canary;
  readonly runner: Runner;
  readonly #pid: number;

  private constructor(engine: Engine, canary: Canary) {
    this.engine = engine;
    this.canary = canary;
    this.runner = new Runner(engine);
    this.#pid = engine.pid;
  }

  /** An engine with the probe and busybox as images. */
  static async open(options: EngineOptions = {}): Promise<Stage> {
    const canary = new Canary();
    try {
      const engine = await Engine.launch({ ...options, env: { ...options.env, ...canary.environment } });
      const stage = new Stage(engine, canary);
      await engine.load();
      await engine.load(await imageOf());
      return stage;
    } catch (error) {
      canary[Symbol.dispose]();
      throw error;
    }
  }

  /** An image with these files above the probe's, called so; the later of two files of one path counts. */
  async make(name: string, files: readonly ImageFile[], config: ImageOptions["config"] = {}): Promise<void> {
    const own = new Set(files.map(({ path }) => path));
    const base = probeLayer().filter(({ path }) => !own.has(path) && !isBelow(path, files));
    await this.engine.load(await imageOf({ name: `${name}:latest`, layers: [[...base, ...files]], config }));
  }

  /** Whatever becomes of it; never with anything that is the host's in what it says. */
  async run(...args: readonly string[]): Promise<Ran> {
    const ran = await this.runner.run(args);
    this.canary.assertUnseen(ran.stdout + ran.stderr);
    return ran;
  }

  /** The same for a container that must end well, without the last newline. */
  async says(...args: readonly string[]): Promise<string> {
    const ran = await this.run(...args);
    assert.equal(ran.code, 0, `run ${args.join(" ")}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout.replace(/\n$/, "");
  }

  /** Made of the probe's image if of no other, started, waited for and removed; its exit code, or undefined: it never ran. */
  async start(config: object): Promise<number | undefined> {
    const post = (target: string, body?: string) => this.engine.request("POST", target, body);
    const created = await post("/containers/create", JSON.stringify({ Image: "probe", ...config }));
    if (created.status !== 201) return undefined;
    const { Id } = JSON.parse(created.body) as { Id: string };
    const { status } = await post(`/containers/${Id}/start`);
    const ended = status === 204 ? await post(`/containers/${Id}/wait`) : undefined;
    await this.engine.request("DELETE", `/containers/${Id}?force=1&v=1`);
    return ended === undefined ? undefined : (JSON.parse(ended.body) as { StatusCode: number }).StatusCode;
  }

  /** Holds afterwards: the daemon is the one that began, the canaries live, and nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      assert.equal(this.engine.pid, this.#pid, "the daemon did not live through it");
      assert.doesNotMatch(readFileSync(this.engine.log, "utf8"), /uncaught|unhandled/);
      this.canary.assertUntouched();
    } finally {
      try {
        await this.engine.stop();
        this.canary.assertUntouched();
      } finally {
        this.canary[Symbol.dispose]();
      }
    }
  }
}

/** Beneath what is a link in the image nothing else can be. */
const isBelow = (path: string, files: readonly ImageFile[]): boolean =>
  files.some((file) => file.type !== undefined && file.type !== "directory" && path.startsWith(`${file.path}/`));
