/** What an instruction says, as a typed value: nothing is expanded yet, and nothing depends on a stage. */

import { parseExecForm, splitSpaces, splitWords } from "../../format/dockerfile/words.ts";
import type { ImageConfig } from "../../image/config.ts";
import { parseHealthcheck } from "../../image/healthcheck.ts";
import { type Flags, parseFlags, refuseFlags } from "./flags.ts";
import { type Heredoc, parseOpening } from "./heredocs.ts";
import { type MountText, parseMountText, type RunMount } from "./mounts.ts";
import { type LineRange, parseError, type SourceInstruction } from "./source.ts";

export interface Pair {
  readonly name: string;
  readonly value: string;
}

/** A program with its arguments, or a line for the shell. */
export interface Command {
  readonly isShell: boolean;
  readonly args: readonly string[];
}

interface Common extends LineRange {
  readonly text: string;
}

export interface CopyInstruction extends Common {
  readonly kind: "COPY" | "ADD";
  readonly sources: readonly string[];
  /** Files that are written in the Dockerfile itself. */
  readonly inline: readonly Heredoc[];
  readonly target: string;
  readonly flags: Partial<Flags<"COPY"> & Flags<"ADD">>;
}

export interface RunInstruction extends Common {
  readonly kind: "RUN";
  readonly command: Command;
  readonly heredocs: readonly Heredoc[];
  readonly mounts: readonly MountText[];
  readonly network: "default" | "none" | "host";
  readonly security: "sandbox" | "insecure";
}

/** With its mounts as the variables of its stage make them. */
export type ExpandedRun = Omit<RunInstruction, "mounts"> & { readonly mounts: readonly RunMount[] };

export type Instruction =
  | CopyInstruction
  | RunInstruction
  | (Common & { readonly kind: "ENV" | "LABEL"; readonly pairs: readonly Pair[]; readonly isLegacy: boolean })
  | (Common & { readonly kind: "ARG"; readonly args: readonly { readonly name: string; readonly value?: string }[] })
  | (Common & { readonly kind: "CMD" | "ENTRYPOINT"; readonly command: Command })
  | (Common & { readonly kind: "EXPOSE" | "VOLUME"; readonly words: readonly string[] })
  | (Common & { readonly kind: "USER" | "WORKDIR" | "STOPSIGNAL" | "MAINTAINER" | "ONBUILD"; readonly word: string })
  | (Common & { readonly kind: "SHELL"; readonly args: readonly string[] })
  | (Common & { readonly kind: "HEALTHCHECK"; readonly healthcheck: NonNullable<ImageConfig["Healthcheck"]> });

type Parser = (source: SourceInstruction) => Instruction;

const common = ({ start, end, text }: SourceInstruction): Common => ({ start, end, text });

const requireSome = ({ name, rest, start }: SourceInstruction): void => {
  if (rest === "") throw parseError(start, `${name} requires at least one argument`);
};

const requireOne = ({ name, rest, start }: SourceInstruction): void => {
  if (rest === "") throw parseError(start, `${name} requires exactly one argument`);
};

const notTexts = (start: number) => () =>
  parseError(start, "when using JSON array syntax, arrays must be comprised of strings only");

const execForm = ({ rest, start }: SourceInstruction): readonly string[] | undefined =>
  parseExecForm(rest, notTexts(start));

const commandOf = (source: SourceInstruction): Command => {
  const args = execForm(source);
  if (args !== undefined) return { isShell: false, args };
  return { isShell: true, args: source.rest === "" ? [] : [source.rest] };
};

/** `name=value` as often as there is; or the old form, a name and all that follows as its value. */
const pairsOf = (
  source: SourceInstruction,
  backslash: string,
): { readonly pairs: readonly Pair[]; readonly isLegacy: boolean } => {
  const { name: instruction, rest, start } = source;
  requireSome(source);
  const words = splitWords(rest, backslash);
  if (!words[0]!.includes("=")) {
    const match = /^(\S+)\s+([\s\S]+)$/.exec(rest);
    if (match === null) throw parseError(start, `${instruction} must have two arguments`);
    return { pairs: [{ name: match[1]!, value: match[2]! }], isLegacy: true };
  }
  const pairs = words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) {
      throw parseError(
        start,
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    }
    if (equals === 0) throw parseError(start, `${instruction} names can not be blank`);
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
  return { pairs, isLegacy: false };
};

const parsePairs =
  (kind: "ENV" | "LABEL") =>
  (source: SourceInstruction, backslash: string): Instruction => {
    refuseFlags(source);
    return { kind, ...common(source), ...pairsOf(source, backslash) };
  };

export const parseArgs = (source: SourceInstruction, backslash: string): Instruction & { readonly kind: "ARG" } => {
  refuseFlags(source);
  requireSome(source);
  const args = splitWords(source.rest, backslash).map((word) => {
    const equals = word.indexOf("=");
    if (equals === 0) throw parseError(source.start, "ARG names can not be blank");
    return equals < 0 ? { name: word } : { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
  return { kind: "ARG", ...common(source), args };
};

const parseCopy =
  <K extends "COPY" | "ADD">(kind: K) =>
  (source: SourceInstruction): Instruction => {
    const flags: Partial<Flags<"COPY"> & Flags<"ADD">> = parseFlags(kind, source);
    const words = execForm(source) ?? splitSpaces(source.rest);
    if (words.length < 2) {
      throw parseError(
        source.start,
        `${kind} requires at least two arguments, but only ${words.length} ${words.length === 1 ? "was" : "were"} provided`,
      );
    }
    const inline = [...source.heredocs];
    const sources = words.slice(0, -1).filter((word) => inline.length === 0 || parseOpening(word) === undefined);
    return { kind, ...common(source), sources, inline, target: words.at(-1)!, flags };
  };

const networks = new Set(["default", "none", "host"]);

const parseRun = (source: SourceInstruction, backslash: string): Instruction => {
  const { mount, network, security, device } = parseFlags("RUN", source);
  const { start } = source;
  if (device.length > 0) throw parseError(start, "RUN --device is not there yet in pier's builds");
  if (network !== undefined && !networks.has(network)) throw parseError(start, `unsupported network mode "${network}"`);
  if (security !== undefined && security !== "sandbox" && security !== "insecure") {
    throw parseError(start, `unsupported security mode "${security}"`);
  }
  requireSome(source);
  return {
    kind: "RUN",
    ...common(source),
    command: commandOf(source),
    heredocs: source.heredocs,
    mounts: mount.map((text) => parseMountText(text, start, backslash)),
    network: (network ?? "default") as RunInstruction["network"],
    security: security ?? "sandbox",
  };
};

const parseCommand =
  (kind: "CMD" | "ENTRYPOINT"): Parser =>
  (source) => {
    refuseFlags(source);
    return { kind, ...common(source), command: commandOf(source) };
  };

const parseWords =
  (kind: "EXPOSE" | "VOLUME") =>
  (source: SourceInstruction, backslash: string): Instruction => {
    refuseFlags(source);
    requireSome(source);
    const words = (kind === "VOLUME" ? execForm(source) : undefined) ?? splitWords(source.rest, backslash);
    if (words.some((word) => word === ""))
      throw parseError(source.start, `${kind} specified can not be an empty string`);
    return { kind, ...common(source), words };
  };

const parseWord =
  (kind: "USER" | "WORKDIR" | "STOPSIGNAL" | "MAINTAINER"): Parser =>
  (source) => {
    refuseFlags(source);
    requireOne(source);
    return { kind, ...common(source), word: source.rest };
  };

const parseOnbuild: Parser = (source) => {
  const { start, rest, heredocs } = source;
  // Flags belong to the instruction that is put off.
  requireSome(source);
  const trigger = splitSpaces(rest)[0]!.toUpperCase();
  if (trigger === "ONBUILD") throw parseError(start, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === "FROM" || trigger === "MAINTAINER") {
    throw parseError(start, `${trigger} isn't allowed as an ONBUILD trigger`);
  }
  const tails = heredocs.map(({ content, name }) => `\n${content}${name}`);
  return { kind: "ONBUILD", ...common(source), word: rest + tails.join("") };
};

const parseShell: Parser = (source) => {
  refuseFlags(source);
  const args = execForm(source);
  if (args === undefined) throw parseError(source.start, "SHELL requires the arguments to be in JSON form");
  if (args.length === 0) throw parseError(source.start, "SHELL requires at least one argument");
  return { kind: "SHELL", ...common(source), args };
};

const parseHealth: Parser = (source) => {
  parseFlags("HEALTHCHECK", source);
  requireSome(source);
  const text = [...source.flags, source.rest].join(" ");
  try {
    return { kind: "HEALTHCHECK", ...common(source), healthcheck: parseHealthcheck(text) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw parseError(source.start, error.message);
  }
};

const parsers: Readonly<Record<Instruction["kind"], (source: SourceInstruction, backslash: string) => Instruction>> = {
  ADD: parseCopy("ADD"),
  ARG: parseArgs,
  CMD: parseCommand("CMD"),
  COPY: parseCopy("COPY"),
  ENTRYPOINT: parseCommand("ENTRYPOINT"),
  ENV: parsePairs("ENV"),
  EXPOSE: parseWords("EXPOSE"),
  HEALTHCHECK: parseHealth,
  LABEL: parsePairs("LABEL"),
  MAINTAINER: parseWord("MAINTAINER"),
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: parseWord("STOPSIGNAL"),
  USER: parseWord("USER"),
  VOLUME: parseWords("VOLUME"),
  WORKDIR: parseWord("WORKDIR"),
};

/** Everything but FROM. */
export const parseInstruction = (source: SourceInstruction, backslash: string): Instruction => {
  const parser = Object.hasOwn(parsers, source.name) ? parsers[source.name as Instruction["kind"]] : undefined;
  if (parser === undefined) throw parseError(source.start, `unknown instruction: ${source.name}`);
  return parser(source, backslash);
};
