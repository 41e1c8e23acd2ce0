/** What a failed step means to a person: the keeper says a number, and only the plan knows what was tried. */
import { PierError } from "../base/errors.ts";
import { StepFailure } from "../kernel/keeper.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";
import { explainTarget } from "./log-sender.ts";

/** The exit codes that a shell gives too: the program is not there, it cannot be run, something else went wrong. */
export const startCodes = { notFound: 127, notExecutable: 126, failed: 128 } as const;

export interface StartFailure {
  readonly error: PierError;
  readonly exitCode: number;
}

/** The thing that a step is about: its path, target or name. */
const objectOf = (step: Step): string => {
  for (const key of ["target", "path", "name", "slot"] as const) {
    const value = (step as unknown as Readonly<Record<string, unknown>>)[key];
    if (typeof value === "string" && value !== "") return ` ${value}`;
  }
  return "";
};

const programFailure = (program: string, errno: number, cause: StepFailure): StartFailure => {
  const missing = errno === errnos.ENOENT.number;
  const reason =
    missing && !program.includes("/")
      ? `exec: "${program}": executable file not found in $PATH`
      : `exec: "${program}": ${missing ? `stat ${program}: ` : ""}${errnoMessage(errno)}`;
  return {
    error: containerError("cannotStart", { reason: `unable to start container process: ${reason}` }, cause),
    exitCode: missing ? startCodes.notFound : startCodes.notExecutable,
  };
};

/** What people run into, in Docker's words. */
const sentenceOf = (step: Step, errno: number): string | undefined => {
  const mismatch = errno === errnos.ENOTDIR.number || errno === errnos.EINVAL.number;
  if (step.step === "rootAttach" && mismatch) {
    return `unable to start container process: error mounting to rootfs at "${step.target}": not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type`;
  }
  if (step.step === "rootMakeDirectory" && errno === errnos.ENOTDIR.number)
    return `Cannot mkdir: ${step.path} is not a directory`;
  if (step.step === "rootMask" && errno === errnos.ENXIO.number)
    return `unable to start container process: ${step.path} cannot be hidden: /dev/null of the container is not the null device`;
  if (step.step === "confine" && errno === errnos.ENOENT.number)
    return `unable to start container process: unable to apply apparmor profile: "${step.profile}" is not loaded`;
  return undefined;
};

/** As Docker reads what a runtime has told (moby, daemon/errors.go): by its words, for there is nothing else. */
const runtimeFailure = (
  { program, args }: Extract<Step, { step: "runProgram" }>,
  errno: number,
  cause: StepFailure,
  told: string | undefined,
): StartFailure => {
  const isOurs = errno !== errnos.EREMOTEIO.number;
  const words = isOurs ? `exec: "${program}": ${errnoMessage(errno)}` : (told ?? `${program} ended and told no reason`);
  const verb = args[args.lastIndexOf("--log-format") + 2] ?? "create";
  const doing = verb === "create" ? "failed to create task for container: failed to create shim task: " : "";
  const reason = `${doing}OCI runtime ${verb} failed: ${words}: unknown`;
  const exitCode = /executable file not found|no such file or directory|not a directory/i.test(words)
    ? startCodes.notFound
    : /permission denied/i.test(words)
      ? startCodes.notExecutable
      : startCodes.failed;
  const code = exitCode === startCodes.failed ? "runtimeFailed" : "cannotStart";
  return { error: containerError(code, { reason }, cause), exitCode };
};

/** `told` is what another runtime has told of its failure. The sentence and the exit code for whatever stopped a plan. */
export const explainFailure = (failure: StepFailure, plan: Plan, program: string, told?: string): StartFailure => {
  const step = plan[failure.lane][failure.index];
  const { errno } = failure;
  if (step?.step === "findProgram" || step?.step === "exec") return programFailure(program, errno, failure);
  if (step?.step === "runProgram") return runtimeFailure(step, errno, failure, told);
  const reason = errnoMessage(errno);
  if (step === undefined) {
    return {
      error: containerError("startFailed", { what: "the keeper", reason }, failure),
      exitCode: startCodes.failed,
    };
  }
  if (step.step === "changeDirectory") {
    const sentence = `unable to start container process: chdir to cwd ("${step.path}") set in config.json failed: ${reason}`;
    return { error: containerError("cannotStart", { reason: sentence }, failure), exitCode: startCodes.notExecutable };
  }
  if (step.step === "sendLog") {
    const error = containerError("logNotSent", { reason: explainTarget(step, errno) }, failure);
    return { error, exitCode: startCodes.failed };
  }
  const sentence = sentenceOf(step, errno);
  if (sentence !== undefined)
    return { error: containerError("cannotStart", { reason: sentence }, failure), exitCode: startCodes.failed };
  const what = `${step.step}${objectOf(step)}`;
  return { error: containerError("startFailed", { what, reason }, failure), exitCode: startCodes.failed };
};

export const isStepFailure = (error: unknown): error is StepFailure => error instanceof StepFailure;

/** The runtime's program is not there at all. */
export const isRuntimeMissing = (error: unknown): boolean =>
  error instanceof PierError && error.code === "runtimeMissing";
