/** One stage: its base, then its instructions, each on what the one before left. */

import { expandWord } from "../format/dockerfile/expand.ts";
import { type CopySource, planCopy, planDirectories } from "./copy.ts";
import { copyStep, outputsOf, ownerOf, type SourceFinder } from "./copy-step.ts";
import type { Instruction } from "./dockerfile/instructions.ts";
import { parseInstruction } from "./dockerfile/instructions.ts";
import { parseMount } from "./dockerfile/mounts.ts";
import { type LineRange, parseSource } from "./dockerfile/source.ts";
import { buildError } from "./errors.ts";
import { BuildFailure } from "./failure.ts";
import { Part, StageFiles } from "./files.ts";
import { type PlannedStage, sourcesOf } from "./graph.ts";
import { dependOnItems, keyOf } from "./keys.ts";
import type { BaseImage } from "./named-contexts.ts";
import { type BuildPlatform, platformOf, toldPlatform, undeclared } from "./platform.ts";
import { shortDigest, type Wait } from "./record.ts";
import type { Reporter, RunningStep } from "./report.ts";
import { agentVariables, runStep, secretVariables, toldCommand } from "./run-step.ts";
import type { Shop } from "./shop.ts";
import {
  afterChange,
  applyMetadata,
  type Change,
  imageToBuildOn,
  isMetadata,
  scratchImage,
  variablesOf,
  type WorkingImage,
  withHistory,
} from "./working-image.ts";

export interface StageResult {
  readonly image: WorkingImage;
  readonly files: StageFiles;
  /** What ARG declared, for the stages on it; undefined: without a value. */
  readonly args: ReadonlyMap<string, string | undefined>;
}

export interface StageInput {
  readonly shop: Shop;
  readonly planned: PlannedStage;
  /** What is built for. */
  readonly platform: BuildPlatform;
  /** Among builds for other platforms: its steps are told with theirs. */
  readonly isOneOfSeveral: boolean;
  readonly backslash: string;
  readonly globals: ReadonlyMap<string, string>;
  readonly reporter: Reporter;
  readonly sources: SourceFinder;
  /** The stage that it is built on. */
  stage(index: number): Promise<StageResult>;
  /** Is told what the base wants to have done. Throws where that needs the stage itself. */
  triggered(instructions: readonly Instruction[]): void;
  /** Throws where it is not there. */
  image(name: string, platform: BuildPlatform): Promise<BaseImage>;
  /** The files of a named context. */
  context(name: string): Promise<Omit<CopySource, "pattern">>;
}

export class StageBuild {
  readonly #input: StageInput;
  readonly #label: string;
  readonly #platform: BuildPlatform;
  readonly #total: number;
  /** What ARG declared; undefined: without a value. */
  readonly #args = new Map<string, string | undefined>();
  #image: WorkingImage;
  #files: StageFiles;
  readonly #waits: Wait[] = [];
  #number = 1;

  constructor(input: StageInput) {
    this.#input = input;
    const { stage } = input.planned;
    this.#platform = platformOf(input);
    const label = stage.name ?? (stage.index === 0 ? "" : `stage-${stage.index}`);
    this.#label = [...(input.isOneOfSeveral ? [toldPlatform(input.platform, this.#platform)] : []), label]
      .join(" ")
      .trim();
    this.#total = stage.instructions.filter(isCounted).length + 1;
    this.#image = scratchImage(input.platform);
    this.#files = new StageFiles(input.shop.rooms.images.layers, [], keyOf("SCRATCH", []));
  }

  /** Everything in the stage, done. */
  async build(): Promise<StageResult> {
    const { planned } = this.#input;
    if (planned.base.kind === "stage") await this.#waiting("its base", this.#input.stage(planned.base.index));
    const triggers = await this.#step(planned.stage, planned.stage.text, (running) => this.#from(running));
    for (const instruction of [...triggers, ...planned.stage.instructions]) {
      // A step begins when it can go on: what it needs of other stages is there.
      for (const name of sourcesOf(instruction))
        await this.#located(instruction, () => this.#waiting(name, this.#input.sources.find(name)));
      await this.#step(
        instruction,
        instruction.text,
        (running) => this.#apply(instruction, running),
        !isCounted(instruction),
      );
    }
    return { image: this.#image, files: this.#files, args: this.#args };
  }

  /** Waits before a step begins, and keeps for it how long that took. */
  async #waiting<T>(what: string, promise: Promise<T>): Promise<T> {
    const began = Date.now();
    const found = await promise;
    this.#waits.push({ for: what, milliseconds: Date.now() - began });
    return found;
  }

  async #step<T>(
    range: LineRange,
    text: string,
    work: (running: RunningStep) => Promise<T>,
    isMetadata = false,
  ): Promise<T> {
    const { reporter, shop, planned } = this.#input;
    const place = `${this.#label === "" ? "" : `${this.#label} `}${Math.min(this.#number, this.#total)}/${this.#total}`;
    if (!isMetadata) this.#number++;
    shop.signal.throwIfAborted();
    const step = { stage: this.#label, name: `[${place}] ${text}`, text, isMetadata };
    const running = reporter.begin(step, planned.isFresh);
    for (const wait of this.#waits.splice(0)) running.waited(wait);
    try {
      const result = await this.#located(range, () => work(running));
      running.end();
      return result;
    } catch (error) {
      // Clients know by these words that it is not this step that has failed.
      const said = error instanceof Error ? error.message : String(error);
      running.end(shop.signal.aborted ? "context canceled" : said);
      throw error;
    }
  }

  async #located<T>(range: LineRange, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof BuildFailure || !(error instanceof Error)) throw error;
      throw new BuildFailure(error, range);
    }
  }

  /** The base; answers what it wants to have done first. */
  async #from(running: RunningStep): Promise<readonly Instruction[]> {
    const { planned, shop } = this.#input;
    const { base } = planned;
    const { layers } = shop.rooms.images;
    if (base.kind === "scratch") return [];
    if (base.kind === "files") {
      await this.#fromFiles(await running.waitFor(base.name, this.#input.context(base.name)), running);
      return [];
    }
    if (base.kind === "stage") {
      const found = await this.#input.stage(base.index);
      const triggers = found.image.config.OnBuild ?? [];
      this.#image = { ...found.image, config: { ...found.image.config, OnBuild: null }, hasOwnCommand: false };
      this.#files = found.files;
      for (const [name, value] of found.args) this.#args.set(name, value);
      running.isBuiltOn(shortDigest(found.files.key));
      return this.#triggered(triggers);
    }
    const record = await running.waitFor(base.name, this.#input.image(base.name, this.#platform));
    running.isBuiltOn(record.id);
    for (const diffId of record.layers) shop.hold(diffId);
    this.#image = imageToBuildOn(record);
    const parts = record.layers.map((diffId) => new Part(Promise.resolve(diffId), record.created));
    // The whole of it: two images of the same layers are two bases (CVE-2024-24557).
    this.#files = new StageFiles(layers, parts, keyOf("FROM", [record.id]));
    return this.#triggered(record.config.OnBuild ?? []);
  }

  #triggered(texts: readonly string[]): readonly Instruction[] {
    const { backslash, planned } = this.#input;
    const triggers = parseTriggers(texts, backslash, planned.stage);
    if (triggers.length > 0) this.#input.triggered(triggers);
    return triggers;
  }

  /** Files of nowhere in particular: a base that says nothing of itself. */
  async #fromFiles(source: Omit<CopySource, "pattern">, running: RunningStep): Promise<void> {
    const { shop } = this.#input;
    const items = planCopy({
      name: "FROM",
      sources: [{ ...source, pattern: "/" }],
      target: "/",
      workdir: "/",
      ...{ below: undefined, owner: undefined, mode: undefined, parents: false, exclude: [], several: false },
      time: shop.time,
    });
    const key = keyOf("FILES", [dependOnItems(running, items), shop.epoch ?? null]);
    const part = await shop.once(key, running, async () => shop.part(key, running, shop.store(outputsOf(items))));
    await part.diffId;
    this.#files = this.#files.with(part, key);
  }

  /** When the last layer was made: what the image says of itself is as old as that. */
  get #created(): string {
    return this.#files.parts.at(-1)?.created || this.#input.shop.created;
  }

  /** Variables of the image come before arguments of the same name. */
  #variables(): ReadonlyMap<string, string> {
    const args = [...this.#args].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
    return new Map([...args, ...variablesOf(this.#image.config)]);
  }

  async #apply(instruction: Instruction, running: RunningStep): Promise<void> {
    const { shop, backslash, sources } = this.#input;
    const variables = this.#variables();
    if (instruction.kind === "ARG") this.#declare(instruction);
    else if (instruction.kind === "RUN") await this.#run(instruction, running);
    else if (!isMetadata(instruction)) {
      const input = { shop, instruction, image: this.#image, files: this.#files, variables, backslash, sources };
      const copied = await copyStep({ ...input, running });
      this.#files = copied.files;
      this.#image = withHistory(this.#image, `${copied.told} # buildkit`, this.#created, false);
    } else {
      const change = applyMetadata(this.#image, instruction, variables, backslash);
      const isWorkdir = instruction.kind === "WORKDIR";
      if (isWorkdir) await this.#makeDirectory(change, running);
      const hasLayer = isWorkdir && change.config.WorkingDir !== "/";
      this.#image = afterChange(this.#image, change, this.#created, !hasLayer);
    }
  }

  #declare(instruction: Instruction & { readonly kind: "ARG" }): void {
    const { shop, globals, backslash } = this.#input;
    const told: string[] = [];
    for (const { name, value } of instruction.args) {
      const given = shop.request.args.get(name);
      const inherited = value === undefined ? globals.get(name) : undefined;
      const own = value === undefined ? undefined : expandWord(value, this.#variables(), { backslash });
      const found = given ?? own ?? inherited;
      this.#args.set(name, found);
      told.push(found === undefined ? name : `${name}=${found}`);
    }
    this.#image = withHistory(this.#image, `ARG ${told.join(" ")}`, this.#created, true);
  }

  async #run(given: Instruction & { readonly kind: "RUN" }, running: RunningStep): Promise<void> {
    const { shop, sources, backslash } = this.#input;
    const variables = this.#variables();
    const expand = (value: string): string => expandWord(value, variables, { backslash });
    const instruction = { ...given, mounts: given.mounts.map((mount) => parseMount(mount, given.start, expand)) };
    const env = [...variables].map(([name, value]) => `${name}=${value}`);
    // Programs disagree on how the names of proxies are written.
    const proxies = [...shop.request.args]
      .filter(([name]) => undeclared.has(name))
      .flatMap(([name, value]) => [[name.toLowerCase(), value] as const, [name.toUpperCase(), value] as const]);
    const hidden = [...new Map(proxies)].filter(([name]) => !variables.has(name));
    // As history tells them: with what the program sees.
    const args = [...this.#args.keys()].map((name) => `${name}=${variables.get(name) ?? ""}`);
    const told = toldCommand(this.#image, instruction);
    this.#files = await runStep({
      ...{ shop, instruction, image: this.#image, files: this.#files, env, sources, running },
      secretEnv: [
        ...hidden.map(([name, value]) => `${name}=${value}`),
        ...(await secretVariables(shop, instruction)),
        ...agentVariables(this.#image, instruction),
      ],
    });
    const counted = args.length === 0 ? "" : `|${args.length} ${args.join(" ")} `;
    this.#image = withHistory(this.#image, `RUN ${counted}${told} # buildkit`, this.#created, false);
  }

  /** WORKDIR: the directory is there afterwards, and is the user's where it was not before. */
  async #makeDirectory({ config }: Change, running: RunningStep): Promise<void> {
    const { shop } = this.#input;
    const files = this.#files;
    const path = config.WorkingDir;
    if (path === "/") return;
    const key = keyOf("WORKDIR", [files.key, path, config.User, shop.epoch ?? null]);
    running.standsOn(files.key);
    running.depends([
      ["the directory", path],
      ["USER", config.User],
      ["SOURCE_DATE_EPOCH", String(shop.epoch ?? "")],
    ]);
    const part = await shop.once(key, running, async () => {
      const below = await running.waitFor("the layers below it", files.tree());
      const owner = config.User === "" ? { uid: 0, gid: 0 } : await ownerOf(config.User, files);
      const items = planDirectories(path, below, owner, shop.time);
      const isNew = items.some(({ isOld }) => !isOld);
      return shop.part(key, running, shop.store(isNew ? items.map(({ header }) => ({ header })) : []));
    });
    await part.diffId;
    this.#files = files.with(part, key);
  }
}

/** What changes files is a step of its own; the rest only changes what the image says of itself. */
const isCounted = (instruction: Instruction): boolean => ["RUN", "COPY", "ADD", "WORKDIR"].includes(instruction.kind);

const parseTriggers = (texts: readonly string[], backslash: string, range: LineRange): readonly Instruction[] =>
  texts.flatMap((text) =>
    parseSource(backslash === "\\" ? text : `# escape=${backslash}\n${text}`).instructions.map((source) => {
      if (["FROM", "ONBUILD", "MAINTAINER"].includes(source.name)) {
        throw buildError("parseLine", {
          line: range.start,
          problem: `${source.name} isn't allowed as an ONBUILD trigger`,
        });
      }
      return { ...parseInstruction(source, backslash), start: range.start, end: range.end };
    }),
  );
