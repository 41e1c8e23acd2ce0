/** A build of pier whose keepers fail on order: `fault.c` is linked around the keeper's own sources. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Lane } from "../../src/kernel/steps.ts";
import { until } from "../docker/containers.ts";
import { Engine } from "../engine.ts";
import { coverage, measured } from "../keeper/compile.ts";
import { imageOf } from "../probe/image.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** What a keeper does when it comes to a place: it (or its child) is killed, the step fails, or it waits to be let go. */
export type Action = "die" | "fail" | "wait";

export interface Order {
  /**
   * A lane; or `said`, when the keeper has sent a message; or `named`, around its exit file's getting its name; or a call
   * by which the keeper or its child asks the kernel for something.
   */
  readonly place: Lane | "said" | "named" | "keeper" | "child";
  /** Of the step; the message's type; 0 before the name and 1 after it; of the call. */
  readonly index: number;
  readonly action: Action;
  /** What a failing step answers; none tolerates EIO. */
  readonly errno?: number;
}

const eio = 5;
const words = 256;

/** An order, and what has become of it; its disposal takes it back. */
export class Armed implements Disposable {
  readonly #path: string;

  constructor(path: string, { place, index, action, errno = eio }: Order) {
    this.#path = path;
    const bytes = Buffer.alloc(4096);
    bytes.write(`${place} ${index} ${action} ${errno}`);
    writeFileSync(path, bytes);
  }

  /** The place was reached, and the order carried out. */
  get isReached(): boolean {
    return this.#word(0) !== 0;
  }

  /** The keeper that has read the order. */
  get keeper(): number {
    return this.#word(2);
  }

  /** Which call it was that failed. */
  get call(): string {
    return readFileSync(this.#path)
      .toString("latin1", words + 12, words + 44)
      .replace(/\0.*/s, "");
  }

  async reached(): Promise<void> {
    await until("the place is reached", () => this.isReached);
  }

  /** Whoever waits goes on. */
  go(): void {
    const file = openSync(this.#path, "r+");
    writeSync(file, Uint8Array.of(1), 0, 1, words + 4);
    closeSync(file);
  }

  [Symbol.dispose](): void {
    this.go();
    rmSync(this.#path, { force: true });
  }

  #word(index: number): number {
    return readFileSync(this.#path).readUInt32LE(words + index * 4);
  }
}

export class FaultyBuild implements Disposable {
  readonly #directory: string;
  readonly #orders: string;
  readonly #executable: string;

  constructor() {
    // Beside the true one, because a hard link does not leave its file system.
    this.#directory = mkdtempSync(join(measured ?? join(checkout, "build"), "faulty-"));
    this.#executable = join(this.#directory, "pier");
    this.#orders = join(this.#directory, "orders");
    mkdirSync(this.#orders);
    for (const name of ["pier", "hello"]) linkSync(join(checkout, "build", name), join(this.#directory, name));
    this.#compile();
  }

  /** A daemon of this build, with the probe's image. */
  async launch(): Promise<Engine> {
    const engine = await Engine.launch({ command: [this.#executable], runInMemory: true });
    await engine.load(await imageOf());
    return engine;
  }

  /** What the keeper of this container or session (or the next errand's) does. */
  arm(id: string, order: Order): Armed {
    return new Armed(join(this.#orders, id), order);
  }

  [Symbol.dispose](): void {
    if (measured === undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  #compile(): void {
    const keeper = join(checkout, "keeper");
    const sources = readdirSync(keeper).filter((name) => name.endsWith(".c") && name !== "hello.c");
    const steps = readFileSync(join(keeper, "steps.h"), "utf8").matchAll(/^ {2}X\(\d+, (\w+)/gm);
    const calls = readFileSync(join(checkout, "test/faults/calls.h"), "utf8").matchAll(/\bX\((\w+)\)/g);
    const wrapped = [
      "plan_open",
      "plan_arguments",
      "say_to",
      "rename",
      ...Array.from(steps, ([, name]) => `step_${name}`),
      ...Array.from(calls, ([, name]) => name),
    ];
    const program = join(this.#directory, "keeper");
    if (measured !== undefined) writeFileSync(`${program}.hits`, "");
    execFileSync("cc", [
      ...["-std=gnu17", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-static"],
      ...(measured === undefined ? [] : coverage(program)),
      `-DFAULTS="${this.#orders}"`,
      ...wrapped.map((name) => `-Wl,--wrap=${name}`),
      ...["-o", program, join(checkout, "test/faults/fault.c")],
      ...sources.map((name) => join(keeper, name)),
    ]);
  }
}
