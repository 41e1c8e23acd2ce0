/** A Dockerfile as stages: what each is built on, and what is done in it. */

import { splitSpaces } from "../../format/dockerfile/words.ts";
import { buildError } from "../errors.ts";
import { parseFlags } from "./flags.ts";
import { type Instruction, parseArgs, parseInstruction } from "./instructions.ts";
import { type Directives, type LineRange, parseError, parseSource, type SourceInstruction } from "./source.ts";

export interface Stage extends LineRange {
  readonly index: number;
  /** Lower case. */
  readonly name?: string;
  /** As written: an image, a stage, or `scratch`, with variables. */
  readonly base: string;
  readonly platform?: string;
  readonly text: string;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly directives: Directives;
  /** Before the first stage. */
  readonly args: readonly (Instruction & { readonly kind: "ARG" })[];
  readonly stages: readonly Stage[];
  readonly lines: readonly string[];
  /** Lines that somebody may have forgotten to finish. */
  readonly emptyContinuations: readonly LineRange[];
}

const parseFrom = (source: SourceInstruction, index: number): Omit<Stage, "instructions"> => {
  const { platform } = parseFlags("FROM", source);
  const words = splitSpaces(source.rest);
  const [base, as, name] = words;
  if (base === undefined || (words.length !== 1 && words.length !== 3)) {
    throw parseError(source.start, "FROM requires either one or three arguments");
  }
  if (words.length === 3 && as!.toLowerCase() !== "as") {
    throw parseError(source.start, `the second argument of FROM must be AS, not ${as}`);
  }
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/i.test(name)) {
    throw parseError(
      source.start,
      `invalid name for build stage: "${name}", name can't start with a number or contain symbols`,
    );
  }
  const { start, end, text } = source;
  return {
    ...{ index, base, text, start, end },
    ...(name === undefined ? {} : { name: name.toLowerCase() }),
    ...(platform === undefined ? {} : { platform }),
  };
};

/** Throws a sentence with the number of its line. */
export const parseDockerfile = (text: string, name = "Dockerfile"): Dockerfile => {
  const { directives, instructions, lines, emptyContinuations } = parseSource(text);
  if (instructions.length === 0) throw buildError("emptyDockerfile", { name });
  const args: (Instruction & { readonly kind: "ARG" })[] = [];
  const stages: (Omit<Stage, "instructions"> & { readonly instructions: Instruction[] })[] = [];
  for (const source of instructions) {
    const stage = stages.at(-1);
    if (source.name === "FROM") stages.push({ ...parseFrom(source, stages.length), instructions: [] });
    else if (stage !== undefined) stage.instructions.push(parseInstruction(source, directives.backslash));
    else if (source.name === "ARG") args.push(parseArgs(source, directives.backslash));
    else {
      parseInstruction(source, directives.backslash);
      throw parseError(source.start, "no build stage in current context");
    }
  }
  if (stages.length === 0) throw buildError("noStage", {});
  return { directives, args, stages, lines, emptyContinuations };
};
