/** `--change` of import and commit: instructions of a Dockerfile that alter an image's configuration. */
import { posix } from "node:path";
import { expandWord, type Variables } from "../format/dockerfile/expand.ts";
import { parseExecForm, splitWords } from "../format/dockerfile/words.ts";
import { parseSignal } from "../kernel/numbers/signals.ts";
import type { ImageConfig } from "./config.ts";
import { changeError, imageError } from "./errors.ts";
import { parseHealthcheck } from "./healthcheck.ts";

type Change = (config: ImageConfig, text: string, instruction: string) => ImageConfig;

/** The configuration with every change applied, in order. Throws Docker's sentences for what is none. */
export const applyChanges = (config: ImageConfig, changes: readonly string[]): ImageConfig =>
  changes
    .flatMap((change) => change.split("\n"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .reduce(applyChange, config);

const applyChange = (config: ImageConfig, line: string): ImageConfig => {
  const [word = ""] = line.split(/\s/, 1);
  const instruction = word.toUpperCase();
  const change = Object.hasOwn(changes, instruction) ? changes[instruction] : undefined;
  if (change === undefined) throw imageError("invalidChange", { change: word.slice(0, 100) });
  const text = line.slice(word.length).trim();
  if (text === "") throw changeError(instruction, "requires at least one argument");
  return change(config, text, instruction);
};

const backslash = "\\";

const shellOf = ({ Shell }: ImageConfig): readonly string[] => (Shell?.length ? Shell : ["/bin/sh", "-c"]);

/** A list of texts; undefined where it is a shell's line. */
const execForm = (text: string, instruction: string): readonly string[] | undefined =>
  parseExecForm(text, () => changeError(instruction, "takes a list of strings alone"));

const command = (config: ImageConfig, text: string, instruction: string): readonly string[] =>
  execForm(text, instruction) ?? [...shellOf(config), text];

const variablesOf = ({ Env }: ImageConfig): Variables =>
  new Map(
    (Env ?? []).map((entry) => {
      const [name = ""] = entry.split("=", 1);
      return [name, entry.slice(name.length + 1)];
    }),
  );

const expand = (config: ImageConfig, word: string): string => expandWord(word, variablesOf(config), { backslash });

const expandAll = (config: ImageConfig, text: string): readonly string[] =>
  splitWords(text, backslash).map((word) => expand(config, word));

const expandOne: (config: ImageConfig, text: string, instruction: string) => string = (config, text, instruction) => {
  const [word, ...more] = expandAll(config, text);
  if (word === undefined || more.length > 0) throw changeError(instruction, "requires exactly one argument");
  return word;
};

/** `name=value` pairs, or the old form `name value` with a single one. */
const expandPairs = (
  config: ImageConfig,
  text: string,
  instruction: string,
): readonly (readonly [name: string, value: string])[] => {
  const words = splitWords(text, backslash);
  if (!words[0]!.includes("=")) {
    const [name = ""] = text.split(/\s/, 1);
    const value = text.slice(name.length).trim();
    if (value === "") throw changeError(instruction, "must have two arguments");
    return [[expand(config, name), expand(config, value)]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals === -1) throw changeError(instruction, `can't find = in ${JSON.stringify(word.slice(0, 100))}`);
    const name = expand(config, word.slice(0, equals));
    if (name === "") throw changeError(instruction, "names can not be blank");
    return [name, expand(config, word.slice(equals + 1))];
  });
};

/** Sets without prototypes, so that any name is a name. */
const withNames = <T>(before: Readonly<Record<string, T>> | null, entries: Iterable<readonly [string, T]>) => {
  const result: Record<string, T> = Object.assign(Object.create(null), before);
  for (const [name, value] of entries) result[name] = value;
  return result;
};

const changes: Readonly<Record<string, Change>> = {
  CMD: (config, text, instruction) => ({ ...config, Cmd: command(config, text, instruction) }),

  ENTRYPOINT: (config, text, instruction) => ({ ...config, Entrypoint: command(config, text, instruction) }),

  ENV: (config, text, instruction) => {
    const env = new Map(variablesOf(config));
    for (const [name, value] of expandPairs(config, text, instruction)) env.set(name, value);
    return { ...config, Env: [...env].map(([name, value]) => `${name}=${value}`) };
  },

  EXPOSE: (config, text) => {
    const ports = expandAll(config, text).flatMap(parsePorts);
    return {
      ...config,
      ExposedPorts: withNames(
        config.ExposedPorts,
        ports.map((port) => [port, {}]),
      ),
    };
  },

  HEALTHCHECK: (config, text) => ({ ...config, Healthcheck: parseHealthcheck(text) }),

  LABEL: (config, text, instruction) => ({
    ...config,
    Labels: withNames(config.Labels, expandPairs(config, text, instruction)),
  }),

  ONBUILD: (config, text, instruction) => {
    const trigger = text.split(/\s/, 1)[0]!.toUpperCase();
    if (trigger === "ONBUILD") throw changeError(instruction, "chaining via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === "FROM" || trigger === "MAINTAINER")
      throw changeError(instruction, `${trigger} isn't allowed as an ONBUILD trigger`);
    return { ...config, OnBuild: [...(config.OnBuild ?? []), text] };
  },

  STOPSIGNAL: (config, text, instruction) => {
    const signal = expandOne(config, text, instruction);
    parseSignal(signal);
    return { ...config, StopSignal: signal };
  },

  USER: (config, text, instruction) => ({ ...config, User: expandOne(config, text, instruction) }),

  VOLUME: (config, text, instruction) => {
    const paths = execForm(text, instruction) ?? expandAll(config, text);
    const trimmed = paths.map((path) => path.trim());
    if (trimmed.includes("")) throw changeError(instruction, "specified can not be an empty string");
    return {
      ...config,
      Volumes: withNames(
        config.Volumes,
        trimmed.map((path) => [path, {}]),
      ),
    };
  },

  WORKDIR: (config, text) => {
    const path = expand(config, text);
    const base = config.WorkingDir.startsWith("/") ? config.WorkingDir : "/";
    return { ...config, WorkingDir: posix.resolve(base, path) };
  },
};

const maxPort = 65535;

/** `80`, `80/udp`, `8000-8010/tcp`. */
export const parsePorts = (text: string): readonly string[] => {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (match === null || first < 1 || last > maxPort || last < first) {
    throw changeError("EXPOSE", `has an invalid containerPort: ${text.slice(0, 100)}`);
  }
  const protocol = match[3]?.toLowerCase() ?? "tcp";
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
};
