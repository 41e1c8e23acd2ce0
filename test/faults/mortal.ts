/** A daemon that is killed right before whatever it does next: before the first thing, the second, until it is through. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Answer, Engine } from "../engine.ts";

const isLong = process.env.PIER_LONG === "1";
const checkout = fileURLToPath(new URL("../..", import.meta.url));
const bun = join(checkout, "node_modules/bun/bin/bun.exe");
const crossings = fileURLToPath(new URL("./crossings.ts", import.meta.url));
const counted = [bun, "--preload", crossings, join(checkout, "src/main.ts")];

/** What a request answered, or undefined when the daemon did not live to answer. */
export type Answered = Answer | undefined;

export const orDead = (answer: Promise<Answer>): Promise<Answered> => answer.catch(() => undefined);

export interface Operation<Subject> {
  /** Before the daemon is about to die. */
  prepare(): Promise<Subject>;
  /** What it dies at. */
  run(subject: Subject): Promise<Answered>;
  /** What holds when it has been started again: `answered` was its word, if it gave one. */
  check(subject: Subject, answered: Answered): Promise<void>;
}

export class Mortal {
  readonly engine: Engine;
  readonly #directory: string;
  #turns = 0;

  private constructor(engine: Engine, directory: string) {
    this.engine = engine;
    this.#directory = directory;
  }

  static async launch(): Promise<Mortal> {
    const directory = mkdtempSync(join(tmpdir(), "pier-moments-"));
    const env = { PIER_CROSSINGS: join(directory, "moment") };
    const engine = await Engine.launch({ command: counted, env, runInMemory: true });
    return new Mortal(engine, directory);
  }

  async stop(): Promise<void> {
    await this.engine.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Not every moment is tried in a short run, but each that is `stride` behind the one before. */
  async atEveryMoment<Subject>(
    operation: Operation<Subject>,
    assertConsistent: () => Promise<void>,
    stride = 1,
  ): Promise<void> {
    for (let number = 1; ; number += isLong ? 1 : stride) {
      const subject = await operation.prepare();
      this.#arm(number);
      const answered = await operation.run(subject);
      const hit = await this.#disarm();
      try {
        if (hit !== undefined) await this.engine.restart();
        await assertConsistent();
        await operation.check(subject, answered);
      } catch (error) {
        throw new Error(`killed at moment ${number}, before ${hit ?? "nothing"}`, { cause: error });
      }
      if (hit !== undefined) continue;
      assert.ok(number > 1, "it was never killed");
      return;
    }
  }

  /** The number of the moment; see crossings.ts. */
  get #moment(): string {
    return join(this.#directory, "moment");
  }

  #arm(number: number): void {
    writeFileSync(this.#moment, `${number} ${this.#turns++}`);
  }

  /** What the daemon was about to do when it died; undefined when it did not come to the moment. */
  async #disarm(): Promise<string | undefined> {
    rmSync(this.#moment, { force: true });
    // It may be about to die, with its answer given.
    await orDead(this.engine.request("GET", "/_ping"));
    const hit = existsSync(`${this.#moment}.hit`) ? readFileSync(`${this.#moment}.hit`, "utf8") : undefined;
    rmSync(`${this.#moment}.hit`, { force: true });
    return hit;
  }
}
