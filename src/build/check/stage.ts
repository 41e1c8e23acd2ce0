/** What is wrong with the instructions of one stage, and what the next stage on it knows of it. */
import { posix } from "node:path";
import { expandWord } from "../../format/dockerfile/expand.ts";
import type { CopyInstruction, Instruction } from "../dockerfile/instructions.ts";
import type { LineRange } from "../dockerfile/source.ts";
import type { Stage } from "../dockerfile/stages.ts";
import { undeclared } from "../platform.ts";
import { isRemote } from "../remote.ts";
import type { CheckInput, Tell } from "./check.ts";
import { suggestion } from "./suggestion.ts";

/** What is known in a stage at some line. */
export interface StageNames {
  /** Of variables. */
  readonly names: ReadonlySet<string>;
  /** Somebody has chosen the shell: its form is meant. */
  readonly hasShell: boolean;
  readonly hasWorkdir: boolean;
}

export interface StageCheck {
  readonly stage: Stage;
  /** Undefined: nobody knows what the base has. */
  readonly below: StageNames | undefined;
  readonly input: CheckInput;
  readonly tell: Tell;
}

/** Words that make a name that of a secret, and one that makes it none. */
const secret = /(^|_)(apikey|auth|credentials?|key|password|pword|passwd|secret|token)(_|$)/i;
const open = /(^|_)public(_|$)/i;

export const checkStage = ({ stage, below, input, tell }: StageCheck): StageNames | undefined => {
  const names = new Set(below?.names ?? []);
  let [hasShell, hasWorkdir] = [below?.hasShell === true, below?.hasWorkdir === true];
  const once = new Map<string, LineRange>();
  for (const instruction of stage.instructions) {
    const { kind } = instruction;
    if (below !== undefined) checkVariables(instruction, names, input, tell);
    if (kind === "CMD" || kind === "ENTRYPOINT" || kind === "HEALTHCHECK") {
      const before = once.get(kind);
      // The last one counts: the one before is said to be in vain.
      if (before !== undefined) tell("MultipleInstructionsDisallowed", before, kind);
      once.set(kind, instruction);
    }
    if ((kind === "CMD" || kind === "ENTRYPOINT") && instruction.command.isShell && !hasShell)
      tell("JSONArgsRecommended", instruction, kind);
    if (kind === "MAINTAINER") tell("MaintainerDeprecated", instruction);
    if (kind === "SHELL") hasShell = true;
    if (kind === "WORKDIR") {
      const isAbsolute = instruction.word.startsWith("/") || instruction.word.startsWith("$");
      if (!isAbsolute && !hasWorkdir) tell("WorkdirRelativePath", instruction, instruction.word);
      hasWorkdir ||= isAbsolute;
    }
    if (kind === "EXPOSE") for (const word of instruction.words) checkPort(word, instruction, tell);
    if (kind === "COPY" || kind === "ADD") checkIgnored(instruction, input, tell);
    if ((kind === "ENV" || kind === "LABEL") && instruction.isLegacy) tell("LegacyKeyValueFormat", instruction, kind);
    if (kind === "ENV" || kind === "ARG") {
      const declared =
        instruction.kind === "ENV" ? instruction.pairs : instruction.kind === "ARG" ? instruction.args : [];
      for (const { name } of declared) {
        if (secret.test(name) && !open.test(name)) tell("SecretsUsedInArgOrEnv", instruction, kind, name);
        names.add(name);
      }
    }
  }
  return below === undefined ? undefined : { names, hasShell, hasWorkdir };
};

/** The words of an instruction in which variables mean something. */
const wordsOf = (instruction: Instruction): readonly string[] => {
  switch (instruction.kind) {
    case "ENV":
    case "LABEL":
      return instruction.pairs.map(({ value }) => value);
    case "ARG":
      return instruction.args.flatMap(({ value }) => value ?? []);
    case "COPY":
    case "ADD": {
      const { flags, sources, target } = instruction;
      return [...sources, target, flags.chown ?? "", flags.chmod ?? ""];
    }
    case "EXPOSE":
    case "VOLUME":
      return instruction.words;
    case "USER":
    case "WORKDIR":
    case "STOPSIGNAL":
      return [instruction.word];
    default:
      return [];
  }
};

const checkVariables = (
  instruction: Instruction,
  names: ReadonlySet<string>,
  { file }: CheckInput,
  tell: Tell,
): void => {
  const values = new Map([...names].map((name) => [name, "x"]));
  const missing = new Set<string>();
  for (const word of wordsOf(instruction)) {
    try {
      expandWord(word, values, { backslash: file.directives.backslash, unset: (name) => missing.add(name) });
    } catch {
      // The build itself says what is wrong.
    }
  }
  for (const name of missing)
    if (!undeclared.has(name)) tell("UndefinedVar", instruction, name, suggestion(name, names, "$"));
};

const checkPort = (word: string, range: LineRange, tell: Tell): void => {
  const [port = "", protocol = ""] = word.split("/");
  if (protocol !== protocol.toLowerCase()) tell("ExposeProtoCasing", range, word);
  if (port.includes(":") && !port.includes("$")) tell("ExposeInvalidFormat", range, word);
};

const checkIgnored = ({ kind, flags, sources, start, end }: CopyInstruction, input: CheckInput, tell: Tell): void => {
  if (flags.from !== undefined) return;
  for (const source of sources) {
    if (/[*?[$]/.test(source) || isRemote(source)) continue;
    const path = posix.resolve("/", source).slice(1);
    if (path !== "" && input.ignored.has(path)) tell("CopyIgnoredFile", { start, end }, kind, source);
  }
};
