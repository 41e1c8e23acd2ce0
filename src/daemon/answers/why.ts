/** Why a container stands as it does, in words for a person, and what can be done about it. Pure. */
import type { WhyAnswer } from "../../api/answers/containers.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Created, Exited, Restarting, Running } from "../../container/state.ts";
import { findSignalName } from "../../kernel/numbers/signals.ts";
import { formatDuration } from "./time.ts";

type Ended = Exited | Restarting;

/** Docker's word for an end that nobody saw. */
const lostWithMachine = 255;

export const whyAnswer = (record: ContainerRecord, now: number): WhyAnswer => {
  const { id, name } = record;
  return { Id: id, Name: name, ...(record.removing ? removing(name) : standing(record, now)) };
};

type Words = Omit<WhyAnswer, "Id" | "Name">;

const removing = (name: string): Words => ({
  Headline: "is being removed",
  Reasons: ["Its removal has begun, and something of it could not be taken away."],
  Try: [`pier rm ${name}`],
});

const standing = (record: ContainerRecord, now: number): Words => {
  const { state } = record;
  switch (state.status) {
    case "created":
      return neverStarted(record, state);
    case "running":
      return running(record, state, now);
    case "restarting":
      return restarting(record, state, now);
    case "exited":
      return exited(record, state, now);
  }
};

const neverStarted = ({ name, command }: ContainerRecord, { error, exitCode }: Created): Words => {
  if (error === undefined) {
    return { Headline: "was never started", Reasons: [], Try: [`pier start ${name}`] };
  }
  return {
    Headline: "could not be started",
    Reasons: [sentence(error)],
    Try: adviceOn(error, exitCode ?? 0, name, command[0] ?? ""),
  };
};

const sentence = (text: string): string => `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}.`;

/** What people run into, by the words of the error. */
const adviceOn = (error: string, exitCode: number, name: string, program: string): readonly string[] => {
  if (/already allocated|address already in use/.test(error)) {
    return [
      "pier ps --filter publish=PORT, or ss -ltnp, to see who holds the port",
      `pier start ${name}, when it is free`,
    ];
  }
  if (exitCode === 127 || /executable file not found|no such file or directory/.test(error)) {
    return [`look for ${program} in the image: pier run --rm --entrypoint sh IMAGE -c 'command -v ${program}'`];
  }
  if (exitCode === 126 || /permission denied/.test(error)) {
    return [`make ${program} executable in the image (chmod +x), and a program for this machine`];
  }
  if (/not a directory|directory onto a file/.test(error)) {
    return ["compare both sides of each mount: a file goes onto a file, a directory onto a directory"];
  }
  return [`pier run --explain …, with the words of ${name}, to see every step of its start`];
};

const running = ({ name, health }: ContainerRecord, state: Running, now: number): Words => {
  const age = formatDuration(now - state.startedAt);
  if (state.paused) {
    return { Headline: `is paused, and was started ${age} ago`, Reasons: [], Try: [`pier unpause ${name}`] };
  }
  const ooms = state.ooms ?? 0;
  const reasons = [
    ...(ooms === 0
      ? []
      : [`Memory ran out in it ${ooms === 1 ? "once" : `${ooms} times`}: some of its processes were killed.`]),
    ...(health?.status === "unhealthy" ? [probeWords(health.log.at(-1)?.exitCode, health.log.at(-1)?.output)] : []),
  ];
  const headline = `runs since ${age}${health === undefined ? "" : `, and is ${health.status}`}`;
  return { Headline: headline, Reasons: reasons, Try: reasons.length === 0 ? [] : [`pier logs ${name}`] };
};

const probeWords = (exitCode: number | undefined, output: string | undefined): string =>
  `Its health check fails${exitCode === undefined || exitCode < 0 ? "" : ` with ${exitCode}`}: ${output?.trim() || "it said nothing"}`;

const restarting = (record: ContainerRecord, state: Restarting, now: number): Words => {
  const { Reasons, Try } = exited(record, state, now);
  const wait = record.backOff === undefined ? "" : `, ${formatDuration(record.backOff).toLowerCase()} after its end`;
  const times = record.restarts === 1 ? "once" : `${record.restarts} times`;
  return {
    Headline: `will be started again${wait}`,
    Reasons: [
      `Its restart policy (${record.request.restart?.name ?? "no"}) has started it again ${times} already.`,
      ...(state.error === undefined ? [] : [`The last start failed: ${state.error}.`]),
      ...Reasons,
    ],
    Try: [...Try, `pier stop ${record.name}, to leave it as it is`],
  };
};

const exited = (record: ContainerRecord, state: Ended, now: number): Words => {
  const { name, stopped } = record;
  const ago = `${formatDuration(now - state.finishedAt).toLowerCase()} ago`;
  const ran = formatDuration(state.finishedAt - state.startedAt).toLowerCase();
  return {
    Headline: `ended with exit code ${state.exitCode} ${ago}, after ${ran}`,
    Reasons: [
      ...endReasons(record, state),
      ...(stopped ? ["Somebody had asked it to stop."] : []),
      ...probeReason(record),
    ],
    Try: state.oomKilled ? memoryAdvice(record) : [`pier logs ${name}`, `pier start --attach ${name}`],
  };
};

const probeReason = ({ health }: ContainerRecord): readonly string[] => {
  const last = health?.log.at(-1);
  return last === undefined || last.exitCode === 0 ? [] : [probeWords(last.exitCode, last.output)];
};

const endReasons = ({ request, command }: ContainerRecord, state: Ended): readonly string[] => {
  const { exitCode, oomKilled, error, peak } = state;
  if (error !== undefined) return [sentence(error)];
  if (oomKilled) {
    const limit = request.resources.memory;
    const most = peak === undefined ? "" : ` It had ${mebibytes(peak)} at most.`;
    return [
      `Memory ran out: ${limit > 0 ? `its limit is ${mebibytes(limit)}` : "it has no limit, but the machine had no more"}.${most}`,
    ];
  }
  if (exitCode === 0) return ["Its program said that all went well."];
  if (exitCode === lostWithMachine)
    return ["Its program said so, or nobody saw its end: the machine went down with it."];
  if (exitCode === 127) return [`127 is how a shell says that it did not find a command (${command.join(" ")}).`];
  if (exitCode === 126) return ["126 is how a shell says that it could not execute a command."];
  const signal = exitCode > 128 ? findSignalName(exitCode - 128) : undefined;
  if (signal === undefined) return ["That is its program's own word for what went wrong: its log may say more."];
  return [`Signal ${exitCode - 128} (${signal}) ended it${signalWords[signal] ?? ""}.`];
};

const signalWords: Readonly<Record<string, string>> = {
  KILL: ": it was killed, by a person, by a stop whose time was over, or with its keeper",
  TERM: ": it was asked to end",
  INT: ": it was interrupted",
  SEGV: ": its program used memory that is not its own, which is a defect of it",
  ABRT: ": its program gave up on itself",
  ILL: ": its program is for another kind of processor",
  SYS: ": it used a system call that its seccomp profile does not let it use",
  PIPE: ": whoever read what it said had gone",
};

const memoryAdvice = ({ name, request }: ContainerRecord): readonly string[] => {
  const { memory } = request.resources;
  const more = memory > 0 ? [`pier update --memory ${memory * 2} --memory-swap ${memory * 4} ${name}`] : [];
  return [...more, `pier start ${name}; pier stats ${name}`];
};

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1).replace(/\.0$/, "")} MiB`;
