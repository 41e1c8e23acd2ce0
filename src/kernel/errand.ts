/** Small plans that a keeper runs and leaves: mounting a layer, reading a file beneath a root, taking something away. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { drained } from "../base/drained.ts";
import { errorsFrom } from "../base/errors.ts";
import { encodePlan } from "./encode.ts";
import { kernelErrors } from "./errors.ts";
import type { Holder } from "./holder.ts";
import { Keeper } from "./keeper.ts";
import type { Plan } from "./steps.ts";

const kernelError = errorsFrom(kernelErrors);

/** A plan in a file that a keeper is launched with, for as long as it is held. */
export class PlanFile implements Disposable {
  readonly path: string;

  constructor(path: string, plan: Plan) {
    this.path = path;
    writeFileSync(path, encodePlan(plan), { mode: 0o600 });
  }

  /** One of many in the directory. */
  static ofErrand(directory: string, plan: Plan): PlanFile {
    return new PlanFile(join(directory, `errand-${randomBytes(8).toString("hex")}`), plan);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { force: true });
  }
}

/**
 * Runs the plan to its end; what its reading steps found is in the keeper. Rejects with a `StepFailure`, or when the
 * errand's process was killed (it ends with 0 when every step was done).
 */
export const runErrand = async (holder: Holder, directory: string, plan: Plan): Promise<Keeper> => {
  using file = PlanFile.ofErrand(directory, plan);
  const keeper = Keeper.launch(holder, file.path);
  const { status } = await keeper.exited;
  if (status !== 0) throw kernelError("keeperLost", {});
  return keeper;
};

/** The same for a plan whose one reading step, of number 0, says more than fits in memory: as it comes. Rejects at its end. */
export async function* streamErrand(holder: Holder, directory: string, plan: Plan): AsyncGenerator<Uint8Array> {
  using file = PlanFile.ofErrand(directory, plan);
  const keeper = Keeper.launch(holder, file.path);
  yield* keeper.stream(0);
  const { status } = await keeper.exited;
  if (status !== 0) throw kernelError("keeperLost", {});
}

/** The same for a plan with a step that writes to standard output: what it writes, as it comes. Rejects at its end. */
export async function* tellErrand(holder: Holder, directory: string, plan: Plan): AsyncGenerator<Uint8Array> {
  using file = PlanFile.ofErrand(directory, plan);
  const { keeper, output } = Keeper.launchTelling(holder, file.path);
  // Nobody may be waiting for it when it comes.
  keeper.exited.catch(() => {});
  try {
    for await (const chunk of output) yield chunk as Buffer;
    const { status } = await keeper.exited;
    if (status !== 0) throw kernelError("keeperLost", {});
  } finally {
    // Whoever reads no further has no use for the errand.
    output.destroy();
    keeper.leave();
  }
}

/** The errand, and why it ended before its time: with its own error, or with that of its input. */
export interface FedErrand {
  readonly keeper: Keeper;
  readonly error: Error | undefined;
}

/** The same for a plan with a step that reads standard input to its end. What it reported is in the keeper also when it failed. */
export const feedErrand = async (
  holder: Holder,
  directory: string,
  plan: Plan,
  source: AsyncIterable<Uint8Array>,
): Promise<FedErrand> => {
  using file = PlanFile.ofErrand(directory, plan);
  const { keeper, input } = Keeper.launchFed(holder, file.path);
  const ended = keeper.exited.then(({ status }) => (status === 0 ? undefined : kernelError("keeperLost", {})), asError);
  const fed = await feed(input, source).then(() => undefined, asError);
  // Who breaks off must not look like who has said everything.
  if (fed !== undefined) keeper.leave();
  input.destroy();
  return { keeper, error: fed ?? (await ended) };
};

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** Holds afterwards: all of it was taken, or the other side has gone. */
const feed = async (input: Writable, source: AsyncIterable<Uint8Array>): Promise<void> => {
  input.on("error", () => input.destroy());
  for await (const chunk of source) {
    if (input.destroyed) return;
    if (!input.write(chunk)) await drained(input);
  }
  if (!input.destroyed) await new Promise<void>((resolve) => input.once("close", resolve).end(resolve));
};

/** The kernel may be busy with what is to be taken away, and somebody may kill the one who does it. */
const cleaningTries = 3;

/**
 * Holds afterwards: what the after lane of the plan takes away is gone, as far as the kernel lets go of it; used when
 * the keeper of the plan was killed, or could not do it.
 */
export const runCleaning = async (holder: Holder, planPath: string): Promise<void> => {
  for (let tries = 0; tries < cleaningTries; tries++) if (await isCleaned(holder, planPath)) return;
};

const isCleaned = (holder: Holder, planPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(holder.program, ["clean", planPath], { argv0: "keeper", cwd: "/", env: {}, stdio: "ignore" });
    child.on("error", () => resolve(false));
    child.on("exit", (code) => resolve(code === 0));
  });
