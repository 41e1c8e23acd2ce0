/** An image while it is being built: what it says of itself so far. Pure; what is in it lies in its layers. */
import { posix } from "node:path";
import { expandWord, type Variables } from "../format/dockerfile/expand.ts";
import { splitSpaces } from "../format/dockerfile/words.ts";
import { parsePorts } from "../image/changes.ts";
import { emptyConfig, type HistoryEntry, type ImageConfig } from "../image/config.ts";
import { parseSignal } from "../kernel/numbers/signals.ts";
import type { Command, Instruction, Pair } from "./dockerfile/instructions.ts";
import { parseError } from "./dockerfile/source.ts";
import type { BaseImage } from "./named-contexts.ts";
import type { BuildPlatform } from "./platform.ts";
import { toldHealthcheck } from "./told-healthcheck.ts";

export interface WorkingImage {
  readonly config: ImageConfig;
  readonly history: readonly HistoryEntry[];
  readonly author: string;
  readonly platform: BuildPlatform;
  /** CMD was said in this stage: an ENTRYPOINT leaves it. */
  readonly hasOwnCommand: boolean;
  /** The image that it begins with, "" for none, and how much of the history is that one's. */
  readonly base: { readonly id: string; readonly history: number };
}

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const scratchImage = (platform: BuildPlatform): WorkingImage => ({
  config: { ...emptyConfig, Env: [defaultPath], WorkingDir: "/" },
  history: [],
  author: "",
  platform,
  hasOwnCommand: false,
  base: { id: "", history: 0 },
});

/** What the stages that are built on an image begin with; its triggers fire once and are not handed on. */
export const imageToBuildOn = ({
  id,
  config,
  history,
  author,
  os,
  architecture,
  variant,
}: BaseImage): WorkingImage => ({
  config: { ...config, OnBuild: null },
  history,
  author,
  platform: { os, architecture, ...(variant === "" ? {} : { variant }) },
  hasOwnCommand: false,
  base: { id, history: history.length },
});

const defaultShell = ["/bin/sh", "-c"];
export const shellOf = ({ Shell }: ImageConfig): readonly string[] => (Shell?.length ? Shell : defaultShell);
export const commandLine = (config: ImageConfig, { isShell, args }: Command): readonly string[] =>
  isShell && args.length > 0 ? [...shellOf(config), ...args] : args;

export const variablesOf = ({ Env }: ImageConfig): ReadonlyMap<string, string> =>
  new Map(
    (Env ?? []).map((entry) => {
      const [name = ""] = entry.split("=", 1);
      return [name, entry.slice(name.length + 1)];
    }),
  );

/** Sets without prototypes, so that any name is a name. */
const withNames = <T>(before: Readonly<Record<string, T>> | null, entries: Iterable<readonly [string, T]>) => {
  const result: Record<string, T> = Object.assign(Object.create(null), before);
  for (const [name, value] of entries) result[name] = value;
  return result;
};

/** What an instruction that changes no file makes of the configuration, and how history tells it. */
export interface Change {
  readonly config: ImageConfig;
  /** "": not at all. */
  readonly told: string;
  readonly author?: string;
  readonly hasOwnCommand?: boolean;
}

type Metadata = Exclude<Instruction, { readonly kind: "RUN" | "COPY" | "ADD" | "ARG" }>;

export const isMetadata = (instruction: Instruction): instruction is Metadata =>
  !["RUN", "COPY", "ADD", "ARG"].includes(instruction.kind);

const quoted = (args: readonly string[]): string => `[${args.map((arg) => JSON.stringify(arg)).join(" ")}]`;

/** The working directory after `WORKDIR path`. */
export const afterWorkdir = (config: ImageConfig, path: string): string =>
  posix.resolve("/", config.WorkingDir || "/", path);

export const applyMetadata = (
  image: WorkingImage,
  instruction: Metadata,
  variables: Variables,
  backslash: string,
): Change => {
  const { config } = image;
  const expand = (word: string): string => expandWord(word, variables, { backslash });
  const pairs = (given: readonly Pair[]): readonly (readonly [string, string])[] =>
    given.map(({ name, value }) => {
      const expanded = expand(name);
      if (expanded === "") throw parseError(instruction.start, `${instruction.kind} names can not be blank`);
      return [expanded, expand(value)] as const;
    });
  const telling = (entries: readonly (readonly [string, string])[]): string =>
    entries.map(([name, value]) => `${name}=${value}`).join(" ");
  switch (instruction.kind) {
    case "ENV": {
      const set = pairs(instruction.pairs);
      const env = new Map([...variablesOf(config), ...set]);
      const Env = [...env].map(([name, value]) => `${name}=${value}`);
      return { config: { ...config, Env }, told: `ENV ${telling(set)}` };
    }
    case "LABEL": {
      const set = pairs(instruction.pairs);
      return { config: { ...config, Labels: withNames(config.Labels, set) }, told: `LABEL ${telling(set)}` };
    }
    case "CMD": {
      const Cmd = commandLine(config, instruction.command);
      const set = { Cmd: Cmd.length === 0 ? null : Cmd, ArgsEscaped: true };
      return { config: { ...config, ...set }, told: `CMD ${quoted(Cmd)}`, hasOwnCommand: true };
    }
    case "ENTRYPOINT": {
      const Entrypoint = commandLine(config, instruction.command);
      const set = {
        Entrypoint: Entrypoint.length === 0 ? null : Entrypoint,
        Cmd: image.hasOwnCommand ? config.Cmd : null,
      };
      return { config: { ...config, ...set }, told: `ENTRYPOINT ${quoted(Entrypoint)}` };
    }
    case "EXPOSE": {
      const ports = instruction.words.flatMap((word) => splitSpaces(expand(word))).flatMap(parsePorts);
      const ExposedPorts = withNames(
        config.ExposedPorts,
        ports.map((port) => [port, {}]),
      );
      return { config: { ...config, ExposedPorts }, told: `EXPOSE [${ports.toSorted().join(" ")}]` };
    }
    case "VOLUME": {
      const paths = instruction.words.map(expand);
      const Volumes = withNames(
        config.Volumes,
        paths.map((path) => [path, {}]),
      );
      return { config: { ...config, Volumes }, told: `VOLUME [${paths.join(" ")}]` };
    }
    case "USER": {
      const User = expand(instruction.word);
      return { config: { ...config, User }, told: `USER ${User}` };
    }
    case "WORKDIR": {
      const path = expand(instruction.word);
      const WorkingDir = afterWorkdir(config, path);
      return { config: { ...config, WorkingDir }, told: `WORKDIR ${path.startsWith("/") ? path : WorkingDir}` };
    }
    case "STOPSIGNAL": {
      const StopSignal = expand(instruction.word);
      parseSignal(StopSignal);
      return { config: { ...config, StopSignal }, told: `STOPSIGNAL ${StopSignal}` };
    }
    case "SHELL":
      return { config: { ...config, Shell: instruction.args }, told: `SHELL [${instruction.args.join(" ")}]` };
    case "HEALTHCHECK":
      return {
        config: { ...config, Healthcheck: instruction.healthcheck },
        told: `HEALTHCHECK ${toldHealthcheck(instruction.healthcheck)}`,
      };
    case "ONBUILD":
      return {
        config: { ...config, OnBuild: [...(config.OnBuild ?? []), instruction.word] },
        // Only what it does later is history.
        told: "",
      };
    case "MAINTAINER":
      return { config, told: `MAINTAINER ${instruction.word}`, author: instruction.word };
  }
};

const comment = "buildkit.dockerfile.v0";

/** The image with one more line of history. `isEmpty`: there is no layer that goes with it. */
export const withHistory = (
  image: WorkingImage,
  created_by: string,
  created: string,
  isEmpty: boolean,
): WorkingImage => ({
  ...image,
  history: [...image.history, { created, created_by, author: "", comment, empty_layer: isEmpty }],
});

/** As Docker tells it: no step has a layer of its own any more, and the last line stands for all of them. */
export const withSquashedHistory = (image: WorkingImage, whole: string, created: string): WorkingImage => {
  const { history, base } = image;
  const told = history.map((entry, index) => (index < base.history ? entry : { ...entry, empty_layer: true }));
  const last = { created, created_by: "", author: "", comment: `merge ${whole} to ${base.id}`, empty_layer: false };
  return { ...image, history: [...told, last] };
};

export const afterChange = (image: WorkingImage, change: Change, created: string, isEmpty: boolean): WorkingImage => {
  const changed = {
    ...image,
    config: change.config,
    author: change.author ?? image.author,
    hasOwnCommand: change.hasOwnCommand ?? image.hasOwnCommand,
  };
  return change.told === "" ? changed : withHistory(changed, change.told, created, isEmpty);
};

const without = (value: Readonly<Record<string, unknown>>, ...nothing: readonly unknown[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined && !nothing.includes(item)));

/** The document whose digest is the image's id. */
export const encodeImage = (
  image: WorkingImage,
  diffIds: readonly string[],
  created: string,
  /** Of its own steps, for the builds that come after it. */
  cache?: string,
): Uint8Array => {
  const { os, architecture, variant } = image.platform;
  const document = without(
    {
      architecture,
      variant,
      author: image.author,
      config: without(image.config, null, "", undefined),
      created,
      history: image.history.map((entry) => without(entry, "", false)),
      os,
      rootfs: { type: "layers", diff_ids: diffIds },
      "moby.buildkit.cache.v0": cache,
    },
    "",
  );
  return new TextEncoder().encode(JSON.stringify(document));
};
