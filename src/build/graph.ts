/** Which stages a target needs, and on what each of them is built: what nobody needs is not built at all. */

import { expandWord } from "../format/dockerfile/expand.ts";
import type { Instruction } from "./dockerfile/instructions.ts";
import { parseError } from "./dockerfile/source.ts";
import type { Dockerfile, Stage } from "./dockerfile/stages.ts";
import { buildError } from "./errors.ts";
import { contextName } from "./named-contexts.ts";
import { type BuildPlatform, platformVariables } from "./platform.ts";
import type { BuildRequest } from "./request.ts";

export type Base =
  | { readonly kind: "scratch" }
  | { readonly kind: "stage"; readonly index: number }
  | { readonly kind: "image"; readonly name: string }
  /** Of a named context. */
  | { readonly kind: "files"; readonly name: string };

export interface PlannedStage {
  readonly stage: Stage;
  readonly base: Base;
  /** What its base wants to have done in it; none before that is known. */
  readonly triggers: readonly Instruction[];
  readonly platform: string;
  /** Nothing in it comes from the cache. */
  readonly isFresh: boolean;
}

export interface BuildGraph {
  /** Those that the target needs, in the order of the file. */
  readonly stages: readonly PlannedStage[];
  /** All of the file. */
  readonly planned: readonly PlannedStage[];
  readonly target: number;
  /** The variables before the first stage. */
  readonly globals: ReadonlyMap<string, string>;
  /** Those of them that nobody has to declare. */
  readonly builtIn: ReadonlyMap<string, string>;
}

export interface GraphInput {
  readonly target: string;
  readonly args: ReadonlyMap<string, string>;
  readonly platform: BuildPlatform;
  readonly noCache: BuildRequest["noCache"];
  readonly contexts: BuildRequest["contexts"];
}

/** A stage by its name or number, or undefined: then it is an image. */
export const findStage = (stages: readonly Stage[], name: string): Stage | undefined => {
  if (/^\d{1,6}$/.test(name)) return stages[Number(name)];
  const wanted = name.toLowerCase();
  return stages.findLast((stage) => stage.name === wanted);
};

/** What an instruction takes from elsewhere: names of stages or images. */
export const sourcesOf = (instruction: Instruction): readonly string[] => {
  if (instruction.kind === "COPY") return instruction.flags.from === undefined ? [] : [instruction.flags.from];
  if (instruction.kind !== "RUN") return [];
  return instruction.mounts.map(({ from }) => from).filter((from) => from !== "");
};

const targetOf = (stages: readonly Stage[], target: string): Stage => {
  const found = target === "" ? stages.at(-1) : findStage(stages, target);
  if (found === undefined) throw buildError("noSuchTarget", { target });
  return found;
};

export const planGraph = (file: Dockerfile, input: GraphInput): BuildGraph => {
  const { stages, directives } = file;
  const target = targetOf(stages, input.target);
  const options = { backslash: directives.backslash };
  const builtIn = platformVariables(input.platform, target.name ?? "");
  const globals = new Map(builtIn);
  for (const { name, value } of file.args.flatMap(({ args }) => args)) {
    const given = input.args.get(name) ?? (value === undefined ? undefined : expandWord(value, globals, options));
    if (given !== undefined) globals.set(name, given);
  }
  const planned: PlannedStage[] = [];
  for (const stage of stages) {
    const platform = expandWord(stage.platform ?? "", globals, options);
    const context = stage.name === undefined ? undefined : contextOf(input.contexts, stage.name);
    // A context of a stage's name is given instead of the whole stage.
    const named: Stage = context === undefined ? stage : { ...stage, instructions: [] };
    const base = context ?? baseOf(stages, stage, expandWord(stage.base, globals, options), input.contexts);
    // What stands on steps that are made anew would otherwise be found as it was on the old ones.
    const hasFreshBase = base.kind === "stage" && planned[base.index]!.isFresh;
    planned.push({
      stage: named,
      base,
      triggers: [],
      platform,
      isFresh: hasFreshBase || isNamed(stage, input.noCache),
    });
  }
  return { planned, stages: neededOf(planned, target.index), target: target.index, globals, builtIn };
};

/** With what the base of a stage wants to have done in it: that may need stages that nobody else does. */
export const withTriggers = (graph: BuildGraph, index: number, triggers: readonly Instruction[]): BuildGraph => {
  const planned = graph.planned.map((one) => (one.stage.index === index ? { ...one, triggers } : one));
  return { ...graph, planned, stages: neededOf(planned, graph.target) };
};

const isNamed = ({ name }: Stage, noCache: GraphInput["noCache"]): boolean =>
  noCache === "all" || noCache.some((wanted) => wanted.toLowerCase() === name);

const contextOf = (contexts: BuildRequest["contexts"], name: string): Base | undefined => {
  const kind = contexts.get(contextName(name))?.kind;
  if (kind === undefined) return undefined;
  return { kind: kind === "directory" || kind === "remote" ? "files" : "image", name };
};

const baseOf = (stages: readonly Stage[], stage: Stage, name: string, contexts: BuildRequest["contexts"]): Base => {
  if (name === "") throw parseError(stage.start, `base name (${stage.base}) should not be blank`);
  if (name === "scratch") return { kind: "scratch" };
  // Only what stands before it: a later stage of the same name is an image here.
  const found = /^\d+$/.test(name) ? undefined : findStage(stages.slice(0, stage.index), name);
  if (found !== undefined) return { kind: "stage", index: found.index };
  return contextOf(contexts, name) ?? { kind: "image", name };
};

/** Throws where a stage needs itself. */
const neededOf = (planned: readonly PlannedStage[], target: number): readonly PlannedStage[] => {
  const stages = planned.map(({ stage }) => stage);
  const [done, way] = [new Set<number>(), new Set<number>()];
  const visit = (index: number): void => {
    const { stage, base, triggers } = planned[index]!;
    if (way.has(index)) throw buildError("circularStage", { name: stage.name ?? String(index) });
    if (done.has(index)) return;
    way.add(index);
    if (base.kind === "stage") visit(base.index);
    for (const name of [...triggers, ...stage.instructions].flatMap(sourcesOf)) {
      const source = findStage(stages, name);
      if (source !== undefined) visit(source.index);
    }
    way.delete(index);
    done.add(index);
  };
  visit(target);
  return planned.filter(({ stage }) => done.has(stage.index));
};
