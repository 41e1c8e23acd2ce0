/** What is built for one platform, from the Dockerfile to the image: stages that do not need each other are built at the same time. */

import type { DiffId, Digest, ImageId } from "../base/ids.ts";
import { emptyConfig, type ImageConfig, maxLayers } from "../image/config.ts";
import { digestOfBytes } from "../image/members.ts";
import type { Bases } from "./bases.ts";
import { encodeInline } from "./cache-config.ts";
import { type CheckResult, checkDockerfile } from "./check/check.ts";
import type { StageNames } from "./check/stage.ts";
import { hiddenFiles, ignoredFiles } from "./context.ts";
import type { CopySource, Owner } from "./copy.ts";
import type { SourceFinder } from "./copy-step.ts";
import { type Dockerfile, parseDockerfile } from "./dockerfile/stages.ts";
import { buildError } from "./errors.ts";
import { BuildFailure, excerpt } from "./failure.ts";
import { Part, StageFiles } from "./files.ts";
import { type BuildGraph, findStage, planGraph, withTriggers } from "./graph.ts";
import type { NamedContexts } from "./named-contexts.ts";
import { type Outline, outlineOf } from "./outline.ts";
import type { BuiltImage } from "./outputs.ts";
import type { BuildPlatform } from "./platform.ts";
import type { Reporter } from "./report.ts";
import type { Shop } from "./shop.ts";
import { squash } from "./squash.ts";
import { StageBuild, type StageResult } from "./stage-build.ts";
import { encodeImage, variablesOf, withSquashedHistory } from "./working-image.ts";

const root: Owner = { uid: 0, gid: 0 };

/** What the builds for all platforms of a request share. */
export interface BuildWorld {
  readonly shop: Shop;
  readonly reporter: Reporter;
  readonly contexts: NamedContexts;
  readonly bases: Bases;
}

export class Build {
  readonly #shop: Shop;
  readonly #reporter: Reporter;
  readonly #platform: BuildPlatform;
  readonly #file: Dockerfile;
  /** Grows when a base turns out to have triggers. */
  #graph: BuildGraph;
  readonly #stages = new Map<number, Promise<StageResult>>();
  readonly #bases: Bases;
  readonly #contexts: NamedContexts;
  readonly #hidden: CopySource["hidden"];

  /** Throws what is wrong with the Dockerfile before anything is done. */
  constructor({ shop, reporter, contexts: found, bases }: BuildWorld, platform: BuildPlatform) {
    this.#shop = shop;
    this.#reporter = reporter;
    this.#platform = platform;
    this.#contexts = found;
    this.#bases = bases;
    const { dockerfile, target, args, noCache, context, contexts } = shop.request;
    this.#file = parseDockerfile(dockerfile.text, dockerfile.name);
    checkSyntax(args.get("BUILDKIT_SYNTAX") ?? this.#file.directives.syntax);
    this.#graph = planGraph(this.#file, { target, args, platform, noCache, contexts });
    // What the daemon has fetched comes as it is.
    this.#hidden = context.isRemote ? undefined : hiddenFiles(context.tree, dockerfile.name);
  }

  /** Where in the Dockerfile a failure belongs, as lines to show; "" where it belongs nowhere. */
  excerpt(error: unknown): string {
    const { name } = this.#shop.request.dockerfile;
    return error instanceof BuildFailure ? excerpt(name, this.#file.lines, error.range) : "";
  }

  /** What the Dockerfile is to be warned of, as far as what is here tells. */
  check(): CheckResult {
    const { args, context, dockerfile } = this.#shop.request;
    const ignored = ignoredFiles(context.tree, dockerfile.name);
    return checkDockerfile({
      ...{ file: this.#file, graph: this.#graph, args, ignored },
      image: (name) => this.#namesOf(name),
    });
  }

  /** What it can be given, as far as what is here tells. */
  outline(): Outline {
    const { args } = this.#shop.request;
    const image = (name: string) => variablesOf(this.#configOf(name) ?? emptyConfig);
    return outlineOf({ file: this.#file, graph: this.#graph, args, image });
  }

  /** Of an image that is here. */
  #configOf(name: string): ImageConfig | undefined {
    const context = this.#contexts.find(name);
    return this.#shop.rooms.images.find(context?.kind === "image" ? context.name : name)?.config;
  }

  #namesOf(name: string): StageNames | undefined {
    const config = this.#configOf(name);
    if (config === undefined) return undefined;
    return { names: new Set(variablesOf(config).keys()), hasShell: Boolean(config.Shell?.length), hasWorkdir: false };
  }

  get steps(): number {
    return this.#graph.stages.reduce((sum, { stage }) => sum + stage.instructions.length + 1, 0);
  }

  /** Throws where the Dockerfile wants to be warned of nothing, and is. */
  refuseWarned(): void {
    const { name, text } = this.#shop.request.dockerfile;
    const { warnings, isError } = this.check();
    const [first] = warnings;
    if (!isError || first === undefined) return;
    this.#reporter.warn(name, text, warnings);
    const found = [...new Set(warnings.map(({ rule }) => rule))].join(", ");
    throw new BuildFailure(buildError("checkFailed", { rules: found }), first.range);
  }

  /** Holds afterwards: every stage that the image needs is built. */
  async run(): Promise<void> {
    const working = this.#graph.stages.map(({ stage }) => this.#stage(stage.index));
    // The others of a stage that has failed would work for nothing.
    const failures: unknown[] = [];
    for (const stage of working) {
      stage.catch((error: unknown) => {
        failures.push(error);
        this.#shop.stop(error);
      });
    }
    // All of them come to their end before the build does: what they hold is then given back.
    await Promise.allSettled(working);
    // Those among them that triggers have begun.
    for (let known = 0; known < this.#stages.size; ) {
      known = this.#stages.size;
      await Promise.allSettled(this.#stages.values());
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Holds afterwards, until the build is over: every layer of the image is stored. */
  async finish(): Promise<BuiltImage> {
    const { request, signal } = this.#shop;
    const { image: built, files } = await this.#stage(this.#graph.target);
    const labelled = { ...built, config: { ...built.config, Labels: labelsOf(built.config.Labels, request.labels) } };
    const made = await files.diffIds();
    const isSquashed = request.squash && made.length > files.inherited;
    const diffIds = isSquashed ? await this.#squash(made, files.inherited) : made;
    if (diffIds.length > maxLayers) throw buildError("layerLimit", { count: diffIds.length, limit: maxLayers });
    signal.throwIfAborted();
    const created = this.#shop.epoch === undefined ? files.parts.at(-1)?.created : undefined;
    const inline = request.cacheTo.some(({ kind }) => kind === "inline")
      ? encodeInline(this.#shop.steps, diffIds)
      : undefined;
    const whole = digestOfBytes(encodeImage(labelled, made, created || this.#shop.created));
    const told = isSquashed ? withSquashedHistory(labelled, whole, this.#shop.created) : labelled;
    const config = encodeImage(told, diffIds, created || this.#shop.created, inline);
    return { platform: this.#platform, id: digestOfBytes(config) as Digest as ImageId, config, diffIds, files };
  }

  /** The layers of the base, and one that has all the others. */
  async #squash(diffIds: readonly DiffId[], inherited: number): Promise<readonly DiffId[]> {
    const base = diffIds.slice(0, inherited);
    const { layers } = this.#shop.rooms.images;
    return [...base, await this.#shop.store(squash(layers.stack(diffIds), layers.stack(base)))];
  }

  #stage(index: number): Promise<StageResult> {
    const known = this.#stages.get(index);
    if (known !== undefined) return known;
    const planned = this.#graph.planned[index]!;
    const build = new StageBuild({
      shop: this.#shop,
      planned,
      platform: this.#platform,
      isOneOfSeveral: this.#shop.request.platforms.length > 1,
      backslash: this.#file.directives.backslash,
      globals: this.#graph.globals,
      reporter: this.#reporter,
      sources: this.#sources(),
      stage: (other) => this.#stage(other),
      triggered: (triggers) => {
        this.#graph = withTriggers(this.#graph, index, triggers);
      },
      image: (name, platform) => this.#bases.get(name, platform),
      context: (name) => this.#contexts.files(name),
    });
    const building = build.build();
    building.catch(() => {});
    this.#stages.set(index, building);
    return building;
  }

  #sources(): SourceFinder {
    const { request } = this.#shop;
    return {
      find: async (name) => {
        if (name === "") {
          const hidden = this.#hidden === undefined ? {} : { hidden: this.#hidden };
          // Whoever sent them is nobody in the image.
          const { tree, digests } = request.context;
          return { tree, owner: root, keepsXattrs: false, ...hidden, ...(digests && { digests }) };
        }
        const stage = findStage(this.#file.stages, name);
        if (stage !== undefined) {
          const { files } = await this.#stage(stage.index);
          return { tree: await files.tree(), keepsXattrs: true };
        }
        if (this.#contexts.hasFiles(name)) return this.#contexts.files(name);
        const record = await this.#bases.get(name, this.#platform);
        const parts = record.layers.map((diffId) => new Part(Promise.resolve(diffId), record.created));
        for (const diffId of record.layers) this.#shop.hold(diffId);
        return { tree: await new StageFiles(this.#shop.rooms.images.layers, parts, "").tree(), keepsXattrs: true };
      },
    };
  }
}

const labelsOf = (before: Readonly<Record<string, string>> | null, more: Readonly<Record<string, string>>) =>
  Object.keys(more).length === 0 ? before : { ...before, ...more };

/** A frontend is an image that would run; ours is the language that docker/dockerfile has. */
const checkSyntax = (syntax: string | undefined): void => {
  if (syntax === undefined) return;
  if (!/^(docker\.io\/)?docker\/dockerfile(-upstream)?(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/.test(syntax)) {
    throw buildError("syntaxImage", { image: syntax });
  }
};
