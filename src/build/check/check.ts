/** Reads a Dockerfile for mistakes that are none of the language's: warnings, in the order of its lines. */
import { expandWord } from "../../format/dockerfile/expand.ts";
import type { Ignore } from "../../format/ignore.ts";
import { parseName } from "../../image/reference.ts";
import type { LineRange } from "../dockerfile/source.ts";
import type { Dockerfile, Stage } from "../dockerfile/stages.ts";
import { buildError } from "../errors.ts";
import type { BuildGraph } from "../graph.ts";
import { addressOf, type CheckOptions, parseCheckOptions, type RuleName, rules, sentenceOf } from "./rules.ts";
import { checkStage, type StageNames } from "./stage.ts";
import { suggestion } from "./suggestion.ts";

export interface Warning {
  readonly rule: RuleName;
  readonly description: string;
  readonly url: string;
  readonly detail: string;
  readonly range: LineRange;
}

export interface CheckInput {
  readonly file: Dockerfile;
  readonly graph: BuildGraph;
  readonly args: ReadonlyMap<string, string>;
  /** What of the context is left out. */
  readonly ignored: Ignore;
  /** What an image says of itself; undefined: it is not here. */
  readonly image: (name: string) => StageNames | undefined;
}

/** What a rule says about some lines. */
export type Tell = (rule: RuleName, range: LineRange, ...words: readonly string[]) => void;

export interface CheckResult {
  readonly warnings: readonly Warning[];
  readonly isError: boolean;
}

/** Throws where the Dockerfile, or an argument, asks for checks that there are not. */
export const checkOptionsOf = (file: Dockerfile, args: ReadonlyMap<string, string>): CheckOptions =>
  parseCheckOptions(args.get("BUILDKIT_DOCKERFILE_CHECK") ?? file.directives.check ?? "", (reason) =>
    buildError("checkOption", { reason }),
  );

export const checkDockerfile = (input: CheckInput): CheckResult => {
  const { file, graph, args } = input;
  const options = checkOptionsOf(file, args);
  const warnings: Warning[] = [];
  const tell: Tell = (rule, range, ...words) => {
    if (options.skipped(rule)) return;
    const { start, end } = range;
    const about = { description: rules[rule].description, url: addressOf(rule), detail: sentenceOf(rule, words) };
    warnings.push({ rule, ...about, range: { start, end } });
  };
  checkLines(file, tell);
  checkNames(file, tell);
  checkBases(file, graph, tell);
  const known = new Map<number, StageNames | undefined>();
  for (const planned of graph.stages) {
    const { base, stage } = planned;
    const below = base.kind === "stage" ? known.get(base.index) : base.kind === "image" ? input.image(base.name) : none;
    known.set(stage.index, checkStage({ stage, below, input, tell }));
  }
  return { warnings: warnings.sort((a, b) => a.range.start - b.range.start), isError: options.isError };
};

const none: StageNames = { names: new Set(), hasShell: false, hasWorkdir: false };

/** Everything that an instruction stands on: stages, and what is in them. */
const everything = ({ args, stages }: Dockerfile): readonly LineRange[] => [
  ...args,
  ...stages.flatMap((stage) => [stage, ...stage.instructions]),
];

const wordAt = ({ lines }: Dockerfile, line: number): string => /^\s*(\S+)/.exec(lines[line - 1] ?? "")?.[1] ?? "";

const isLower = (text: string): boolean => text === text.toLowerCase();
const isUpper = (text: string): boolean => text === text.toUpperCase();

/** How the lines themselves are written. */
const checkLines = (file: Dockerfile, tell: Tell): void => {
  const all = everything(file);
  const words = all.map(({ start }) => wordAt(file, start));
  const majorityIsLower = words.filter(isLower).length > words.filter(isUpper).length;
  for (const [index, range] of all.entries()) {
    const word = words[index]!;
    const isRight = majorityIsLower ? isLower(word) : isUpper(word);
    if (!isRight) tell("ConsistentInstructionCasing", range, word, majorityIsLower ? "lowercase" : "uppercase");
  }
  for (const { start, end } of file.emptyContinuations) tell("NoEmptyContinuation", { start, end });
  for (const one of [...file.args.flatMap(namesOfArg), ...file.stages.flatMap(nameOfStage)]) {
    const comment = /^\s*#\s*(\S*)/.exec(file.lines[one.range.start - 2] ?? "")?.[1];
    // A directive is no description.
    const isDirective = /^\s*#\s*\w+\s*=/.test(file.lines[one.range.start - 2] ?? "");
    if (comment !== undefined && !isDirective && comment !== one.name)
      tell("InvalidDefinitionDescription", one.range, one.kind, one.name);
  }
};

const namesOfArg = (arg: Dockerfile["args"][number]) =>
  arg.args.slice(0, 1).map(({ name }) => ({ name, kind: "ARG", range: arg as LineRange }));
const nameOfStage = (stage: Stage) =>
  stage.name === undefined ? [] : [{ name: stage.name, kind: "FROM", range: stage as LineRange }];

const reserved = new Set(["scratch", "context"]);

/** How stages are called. */
const checkNames = (file: Dockerfile, tell: Tell): void => {
  const seen = new Set<string>();
  for (const stage of file.stages) {
    const { name, text } = stage;
    if (name === undefined) continue;
    const [, as = "", written = ""] = /\s(as)\s+(\S+)$/i.exec(text) ?? [];
    const from = wordAt(file, stage.start);
    if (isLower(from) ? !isLower(as) : isUpper(from) && !isUpper(as)) tell("FromAsCasing", stage, as, from);
    if (!isLower(written)) tell("StageNameCasing", stage, written);
    if (seen.has(name)) tell("DuplicateStageName", stage, written);
    if (reserved.has(name)) tell("ReservedStageName", stage, name);
    seen.add(name);
  }
};

/** What stages are built on. */
const checkBases = (file: Dockerfile, graph: BuildGraph, tell: Tell): void => {
  const backslash = file.directives.backslash;
  const declared = new Set([...graph.globals.keys(), ...file.args.flatMap(({ args }) => args.map(({ name }) => name))]);
  const expand = (word: string, values: ReadonlyMap<string, string>, unset: (name: string) => void): string => {
    try {
      return expandWord(word, values, { backslash, unset });
    } catch {
      // The build itself says what is wrong.
      return word;
    }
  };
  const defaults = new Map(graph.builtIn);
  for (const { name, value } of file.args.flatMap(({ args }) => args)) {
    defaults.set(name, value === undefined ? "" : expand(value, defaults, () => {}));
  }
  const names = new Set(file.stages.flatMap(({ name }) => name ?? []));
  for (const stage of file.stages) {
    const { base, platform } = stage;
    let isWhole = true;
    for (const word of [base, platform ?? ""]) {
      expand(word, graph.globals, (name) => {
        if (declared.has(name)) return;
        isWhole = false;
        tell("UndefinedArgInFrom", stage, name, suggestion(name, declared, ""));
      });
    }
    const written = expand(base, defaults, () => {});
    if (isWhole && !names.has(written.toLowerCase()) && !isName(written)) tell("InvalidDefaultArgInFrom", stage, base);
    if (platform !== undefined) checkPlatform(stage, platform, tell);
  }
};

const isName = (text: string): boolean => {
  try {
    parseName(text);
    return true;
  } catch {
    return false;
  }
};

const checkPlatform = (stage: Stage, platform: string, tell: Tell): void => {
  if (/^\$(TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(platform)) tell("RedundantTargetPlatform", stage, platform);
  if (platform.includes("$")) return;
  // A stage that is called after a platform is meant for it.
  const [os = "", architecture = ""] = platform.split("/");
  const parts = [os, architecture].filter((part) => part !== "");
  if (!parts.some((part) => (stage.name ?? "").includes(part)))
    tell("FromPlatformFlagConstDisallowed", stage, platform);
};
