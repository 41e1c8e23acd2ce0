/** `docker run` without a network, to its end: what most tests of flags need. */
import assert from "node:assert/strict";
import type { Engine } from "../engine.ts";
import type { ExecuteOptions, Ran } from "../execute.ts";
import { Listener, said } from "./containers.ts";

export class Runner {
  readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Whatever becomes of it. */
  run(args: readonly string[], options?: ExecuteOptions): Promise<Ran> {
    return this.engine.docker(["run", "--rm", "--network", "none", ...args], options);
  }

  /** What a container that ends well says, without the last newline. */
  says(...args: readonly string[]): Promise<string> {
    return said(this.engine, "run", "--rm", "--network", "none", ...args);
  }

  /** The id of a container that goes on running. */
  detached(...args: readonly string[]): Promise<string> {
    return said(this.engine, "run", "--detach", "--network", "none", ...args);
  }

  /** It never came to be: exit code 125, and a sentence. */
  async refuses(sentence: RegExp, ...args: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await this.run(args);
    assert.equal(code, 125, `run ${args.join(" ")}\n${stdout}${stderr}`);
    assert.match(stderr, sentence);
  }

  /** Resolves when the container has said it. */
  async hasSaid(id: string, pattern: RegExp): Promise<void> {
    const log = new Listener(this.engine.spawn("docker", ["logs", "--follow", id]));
    await log.seen(pattern);
    log.child.kill();
    await log.ended();
  }
}
