/** Small plans that a keeper runs and leaves: mounting a layer, reading a file beneath a root, taking something away. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorsFrom } from "../base/errors.ts";
import { encodePlan } from "./encode.ts";
import { kernelErrors } from "./errors.ts";
import type { Holder } from "./holder.ts";
import { Keeper } from "./keeper.ts";
import type { Plan } from "./steps.ts";

const kernelError = errorsFrom(kernelErrors);

/**
 * Runs the plan to its end; what its reading steps found is in the keeper. Rejects with a `StepFailure`, or when the
 * errand's process was killed (it ends with 0 when every step was done).
 */
export const runErrand = async (holder: Holder, directory: string, plan: Plan): Promise<Keeper> => {
  const path = join(directory, `errand-${randomBytes(8).toString("hex")}`);
  writeFileSync(path, encodePlan(plan), { mode: 0o600 });
  try {
    const keeper = Keeper.launch(holder, path);
    const { status } = await keeper.exited;
    if (status !== 0) throw kernelError("keeperLost", {});
    return keeper;
  } finally {
    rmSync(path, { force: true });
  }
};

/** Holds afterwards: what the after lane of the plan takes away is gone; used when the keeper of the plan was killed. */
export const runCleaning = (holder: Holder, planPath: string): Promise<void> =>
  new Promise((resolve) => {
    const child = spawn(holder.program, ["clean", planPath], { argv0: "keeper", cwd: "/", env: {}, stdio: "ignore" });
    child.on("error", () => resolve());
    child.on("exit", () => resolve());
  });
