/** What a build can be given: arguments, secrets and agents of the stages that its target needs. Pure. */
import { expandWord, type Variables } from "../format/dockerfile/expand.ts";
import { descriptionsAbove } from "./dockerfile/comments.ts";
import type { Instruction, RunInstruction } from "./dockerfile/instructions.ts";
import { type MountText, parseMount, type RunMount } from "./dockerfile/mounts.ts";
import type { LineRange } from "./dockerfile/source.ts";
import type { Dockerfile } from "./dockerfile/stages.ts";
import type { BuildGraph, PlannedStage } from "./graph.ts";
import { secretId } from "./secrets.ts";

export interface OutlineInput {
  readonly file: Dockerfile;
  readonly graph: BuildGraph;
  /** What is given already. */
  readonly args: ReadonlyMap<string, string>;
  /** The variables that an image has; none of one that is not here. */
  readonly image: (name: string) => Variables;
}

export interface OutlineArgument {
  readonly name: string;
  /** "": there is none. */
  readonly value: string;
  readonly description: string;
  readonly range: LineRange;
}

export interface OutlineMount {
  readonly name: string;
  readonly required: boolean;
  readonly range: LineRange;
}

/** Each list in the order of the lines. */
export interface Outline {
  readonly name: string;
  readonly description: string;
  readonly args: readonly OutlineArgument[];
  readonly secrets: readonly OutlineMount[];
  readonly agents: readonly OutlineMount[];
}

export const outlineOf = (input: OutlineInput): Outline => {
  const { file, graph } = input;
  const globals = globalsOf(input);
  const outlined = new Map<number, StageOutline>();
  for (const planned of graph.stages)
    outlined.set(planned.stage.index, new StageOutline(input, planned, globals, outlined));
  const { name = "", ...target } = file.stages[graph.target]!;
  // What several stages have is told as the target has it.
  const stages = [...outlined.values()].reverse();
  return {
    ...{ name, description: descriptionsAbove(file.lines, target).get(name) ?? "" },
    args: inOrder(stages.map(({ args }) => args)),
    secrets: inOrder(stages.map(({ secrets }) => secrets)),
    agents: inOrder(stages.map(({ agents }) => agents)),
  };
};

/** Each name once, as the first of these has it. */
const inOrder = <T extends { readonly range: LineRange }>(all: readonly ReadonlyMap<string, T>[]): readonly T[] =>
  [...new Map(all.toReversed().flatMap((one) => [...one])).values()].sort((a, b) => a.range.start - b.range.start);

interface Global {
  readonly argument: OutlineArgument;
  /** Other arguments that its value is made of. */
  readonly asks: ReadonlySet<string>;
}

/** The arguments before the first stage. */
const globalsOf = ({ file, graph, args }: OutlineInput): ReadonlyMap<string, Global> => {
  const found = new Map<string, Global>();
  for (const { args: declared, start, end } of file.args) {
    const descriptions = descriptionsAbove(file.lines, { start, end });
    for (const { name, value = "" } of declared) {
      const about = { name, description: descriptions.get(name) ?? "", range: { start, end } };
      const asks = args.has(name) ? new Set<string>() : namesIn(value, file, graph.globals);
      found.set(name, { argument: { ...about, value: graph.globals.get(name) ?? "" }, asks });
    }
  }
  return found;
};

/** The names of the variables that a word asks for. */
const namesIn = (word: string, { directives }: Dockerfile, variables: Variables): ReadonlySet<string> => {
  const names = new Set<string>();
  expandWord(word, variables, { backslash: directives.backslash, asked: (name) => names.add(name) });
  return names;
};

/** What one stage takes, and what the stages on it begin with. */
class StageOutline {
  readonly args = new Map<string, OutlineArgument>();
  readonly secrets = new Map<string, OutlineMount>();
  readonly agents = new Map<string, OutlineMount>();
  readonly #input: OutlineInput;
  readonly #globals: ReadonlyMap<string, Global>;
  readonly #declared: Map<string, string>;
  readonly #env: Map<string, string>;

  constructor(
    input: OutlineInput,
    { stage, base }: PlannedStage,
    globals: ReadonlyMap<string, Global>,
    others: ReadonlyMap<number, StageOutline>,
  ) {
    this.#input = input;
    this.#globals = globals;
    const below = base.kind === "stage" ? others.get(base.index) : undefined;
    this.#declared = new Map(below === undefined ? [] : below.#declared);
    this.#env = new Map(below !== undefined ? below.#env : base.kind === "image" ? input.image(base.name) : []);
    for (const word of [stage.base, stage.platform ?? ""])
      for (const name of namesIn(word, input.file, input.graph.globals)) this.#useGlobal(name);
    for (const instruction of stage.instructions) this.#add(instruction);
  }

  /** With the arguments that its value is made of. */
  #useGlobal(name: string): void {
    const global = this.#globals.get(name);
    if (global === undefined || this.args.get(name) === global.argument) return;
    this.args.set(name, global.argument);
    for (const other of global.asks) this.#useGlobal(other);
  }

  #add(instruction: Instruction): void {
    if (instruction.kind === "ARG") this.#declare(instruction);
    else if (instruction.kind === "RUN") this.#addMounts(instruction);
    else if (instruction.kind === "ENV") {
      const values = instruction.pairs.map(({ name, value }) => [this.#expand(name), this.#expand(value)] as const);
      for (const [name, value] of values) this.#env.set(name, value);
    }
  }

  #declare({ args, start, end }: Instruction & { readonly kind: "ARG" }): void {
    const { file, graph, args: given } = this.#input;
    const descriptions = descriptionsAbove(file.lines, { start, end });
    for (const { name, value } of args) {
      const own = given.get(name) ?? (value === undefined ? undefined : this.#expand(value));
      const known = own ?? graph.globals.get(name);
      if (known !== undefined) this.#declared.set(name, known);
      // An argument that is handed on from before the first stage is the one that stands there.
      if (own === undefined && known !== undefined) this.#useGlobal(name);
      else {
        const about = { name, description: descriptions.get(name) ?? "", range: { start, end } };
        this.args.set(name, { ...about, value: known ?? "" });
      }
    }
  }

  #addMounts({ mounts, start, end }: RunInstruction): void {
    for (const text of mounts) {
      const mount = this.#expandMount(text, start);
      if (mount?.type !== "secret" && mount?.type !== "ssh") continue;
      const found = mount.type === "secret" ? this.secrets : this.agents;
      const name = mount.type === "secret" ? secretId(mount) : (mount.id ?? "default");
      if (!found.has(name)) found.set(name, { name, required: mount.required, range: { start, end } });
    }
  }

  /** Undefined: it makes no sense without the variables of an image that is not here. */
  #expandMount(text: MountText, line: number): RunMount | undefined {
    try {
      return parseMount(text, line, (word) => this.#expand(word));
    } catch {
      return undefined;
    }
  }

  /** Variables of the image come before arguments of the same name. */
  #expand(word: string): string {
    const { backslash } = this.#input.file.directives;
    return expandWord(word, new Map([...this.#declared, ...this.#env]), { backslash });
  }
}
