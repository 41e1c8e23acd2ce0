/** What happens to a container that runs by way of its keeper: its plan changes. */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { encodePlan } from "../kernel/encode.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import type { Endpoint } from "../network/endpoint.ts";
import { containerError } from "./errors.ts";
import type { Launcher } from "./launch.ts";
import { type Live, readSpec } from "./live.ts";
import type { ContainerRecord } from "./record.ts";

/** The first version of the keepers' protocol that can. */
export const changesSince = 2;
/** The first one in which relays move. */
const movesSince = 3;

/** The step of a change that failed, and the kernel's error number. */
export class ChangeFailure extends Error {
  readonly step: number;
  readonly errno: number;

  constructor(step: number, errno: number) {
    super(`step ${step} of a change failed with error number ${errno}`);
    this.name = "ChangeFailure";
    this.step = step;
    this.errno = errno;
  }
}

/** Holds afterwards: the steps were done, and in the end all is taken away that belongs to these endpoints. */
export const changePlan = async (
  launcher: Launcher,
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  outside: readonly Step[],
  live: Live,
): Promise<void> => {
  const needed = outside.some(({ step }) => step === "moveRelay") ? movesSince : changesSince;
  if (live.keeper.protocol < needed) throw containerError("keeperTooOld", { name: record.name });
  const after = launcher.planAfter(record, await readSpec(live.paths), endpoints);
  const plan: Plan = { outside, inside: [], after };
  const file = `${live.paths.plan}.next`;
  writeFileSync(`${file}.new`, encodePlan(plan), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  const { errno, step } = await live.keeper.change();
  if (existsSync(file)) rmSync(file);
  if (errno !== 0) throw new ChangeFailure(step, errno);
};
