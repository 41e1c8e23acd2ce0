/** A process of ours that runs: a container's first or an exec session's, with its keeper. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { encodePlan } from "../kernel/encode.ts";
import { runCleaning } from "../kernel/errand.ts";
import type { Holding } from "../kernel/holder.ts";
import { decodeExit, type ExitReport, type Keeper, type ProcessMark } from "../kernel/keeper.ts";
import type { Standby } from "../kernel/standby.ts";
import type { Plan } from "../kernel/steps.ts";
import { type AttachRequest, joinStreams } from "./attach.ts";
import { explainFailure, isRuntimeMissing, isStepFailure, startCodes } from "./failure.ts";
import type { OciSpec } from "./oci/spec.ts";
import { bundlePath, type ContainerPaths } from "./paths.ts";
import { readRuntimeLog } from "./runtime-log.ts";
import { runtimeLog } from "./runtime-plan.ts";

export type LivePaths = Pick<ContainerPaths, "run" | "plan" | "control" | "exit">;

/** What a later daemon needs to run more in a container: its spec, beside its plan. */
const specFile = (paths: LivePaths): string => join(paths.run, "spec.json");

// `<run>` lies in memory: a file is written there in less time than it takes to ask a thread for it.
export const writeSpec = (paths: LivePaths, spec: OciSpec): void => {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  const rlimits = spec.process.rlimits.map(({ type, soft, hard }) => ({ type, soft: `${soft}`, hard: `${hard}` }));
  const text = JSON.stringify({ ...spec, process: { ...spec.process, rlimits } });
  writeFileSync(specFile(paths), text, { mode: 0o600 });
};

export const readSpec = async (paths: LivePaths): Promise<OciSpec> => {
  const spec = JSON.parse(await readFile(specFile(paths), "utf8")) as OciSpec;
  const rlimits = spec.process.rlimits.map(({ type, soft, hard }) => ({
    type,
    soft: BigInt(soft),
    hard: BigInt(hard),
  }));
  return { ...spec, process: { ...spec.process, rlimits } };
};

export interface Live {
  readonly keeper: Keeper;
  readonly process: ProcessMark;
  readonly paths: LivePaths;
}

/** What a keeper wrote about its process's end; undefined when it did not come to that. */
export const readExit = ({ exit }: LivePaths): ExitReport | undefined =>
  existsSync(exit) ? decodeExit(readFileSync(exit)) : undefined;

/**
 * How it ended; rejects when its keeper was killed. What a keeper says last is lost when somebody speaks to it as it leaves
 * (the socket reports the broken pipe first), and is read from what it has written.
 */
export const endOf = ({ keeper, paths }: Live): Promise<ExitReport> =>
  keeper.exited.catch((error: unknown) => {
    const report = readExit(paths);
    if (report === undefined) throw error;
    return report;
  });

/** A client that has attached to something which does not run yet. */
export interface Attachment {
  readonly client: Duplex;
  readonly request: AttachRequest;
  readonly tty: boolean;
  /** Called with what becomes of the stream once it is joined. */
  readonly joined: (over: Promise<boolean>) => void;
}

/** Holds afterwards: the process waits at its commit point, and every client is attached to it. */
export const prepareLive = async (
  standby: Standby,
  paths: LivePaths,
  plan: Plan,
  attachments: readonly Attachment[],
): Promise<Live> => {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  writeFileSync(paths.plan, encodePlan(plan), { mode: 0o600, flag: "wx" });
  const keeper = standby.launch(paths.plan);
  const process = await keeper.created;
  try {
    for (const { client, request, tty, joined } of attachments) {
      joined((await joinStreams(client, paths.control, request, tty, keeper.exited)).over);
    }
  } catch (error) {
    // Nobody will say start: the keeper takes everything back.
    keeper.leave();
    throw error;
  }
  return { keeper, process, paths };
};

/** The sentence and exit code of a start that failed, whatever it failed at. */
export const startFailure = (
  error: unknown,
  plan: Plan,
  program: string,
  paths: LivePaths,
): { error: unknown; exitCode: number } => {
  if (isStepFailure(error)) return explainFailure(error, plan, program, readRuntimeLog(runtimeLog(bundlePath(paths))));
  return { error, exitCode: isRuntimeMissing(error) ? startCodes.notFound : startCodes.failed };
};

/** Holds afterwards: what a keeper should have taken away is gone, though it was killed or could not. */
export const cleanAfter = async (holder: Holding, paths: LivePaths): Promise<void> => {
  if (!existsSync(paths.plan)) return;
  await holder.wake();
  await runCleaning(holder, paths.plan);
};

/** Holds afterwards: nothing of the run is left in `<run>`. */
export const clearRun = (paths: LivePaths): void => rmSync(paths.run, { recursive: true, force: true });
