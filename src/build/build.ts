/** One build, from its request to its image: stages that do not need each other are built at the same time. */

import { formatPlatform, isFor } from "../api/platforms.ts";
import type { Digest, ImageId } from "../base/ids.ts";
import { maxLayers } from "../image/config.ts";
import { digestOfBytes } from "../image/members.ts";
import { parseName } from "../image/reference.ts";
import { encodeInline } from "./cache-config.ts";
import { type CacheDescriptor, exportCaches } from "./cache-export.ts";
import { ImportedCaches } from "./cache-import.ts";
import { type CheckResult, checkDockerfile } from "./check/check.ts";
import type { StageNames } from "./check/stage.ts";
import { hiddenFiles, ignoredFiles } from "./context.ts";
import type { CopySource, Owner } from "./copy.ts";
import type { SourceFinder } from "./copy-step.ts";
import { type Dockerfile, parseDockerfile } from "./dockerfile/stages.ts";
import { buildError } from "./errors.ts";
import { BuildFailure, excerpt } from "./failure.ts";
import { Part, StageFiles } from "./files.ts";
import { type BuildGraph, findStage, planGraph } from "./graph.ts";
import { type BaseImage, NamedContexts } from "./named-contexts.ts";
import type { BuiltImage } from "./outputs.ts";
import type { BuildPlatform } from "./platform.ts";
import { type BuildRecord, shortDigest } from "./record.ts";
import type { Reporter } from "./report.ts";
import type { Shop } from "./shop.ts";
import { StageBuild, type StageResult } from "./stage-build.ts";
import { encodeImage, variablesOf } from "./working-image.ts";

const root: Owner = { uid: 0, gid: 0 };

export class Build {
  readonly #shop: Shop;
  readonly #reporter: Reporter;
  readonly #file: Dockerfile;
  readonly #graph: BuildGraph;
  readonly #stages = new Map<number, Promise<StageResult>>();
  readonly #bases = new Map<string, Promise<BaseImage>>();
  readonly #contexts: NamedContexts;
  readonly #hidden: CopySource["hidden"];

  /** Throws what is wrong with the Dockerfile before anything is done. */
  constructor(shop: Shop, reporter: Reporter) {
    this.#shop = shop;
    this.#reporter = reporter;
    const { dockerfile, target, args, platform, noCache, context, contexts } = shop.request;
    this.#file = parseDockerfile(dockerfile.text, dockerfile.name);
    checkSyntax(this.#file.directives.syntax);
    this.#graph = planGraph(this.#file, { target, args, platform, noCache, contexts });
    this.#contexts = new NamedContexts(shop, reporter);
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

  #namesOf(name: string): StageNames | undefined {
    const context = this.#contexts.find(name);
    const config = this.#shop.rooms.images.find(context?.kind === "image" ? context.name : name)?.config;
    if (config === undefined) return undefined;
    return { names: new Set(variablesOf(config).keys()), hasShell: Boolean(config.Shell?.length), hasWorkdir: false };
  }

  /** Holds afterwards, until the build is over: every layer of the image is stored. */
  async run(): Promise<BuiltImage> {
    const { name, text } = this.#shop.request.dockerfile;
    const { warnings, isError } = this.check();
    const [first] = warnings;
    if (isError && first !== undefined) {
      this.#reporter.warn(name, text, warnings);
      const found = [...new Set(warnings.map(({ rule }) => rule))].join(", ");
      throw new BuildFailure(buildError("checkFailed", { rules: found }), first.range);
    }
    try {
      return await this.#run();
    } finally {
      // By now the bases are here, and say which variables there are.
      this.#reporter.warn(name, text, this.check().warnings);
    }
  }

  async #run(): Promise<BuiltImage> {
    const { request, signal } = this.#shop;
    const { stages, target } = this.#graph;
    this.#reporter.planned(stages.reduce((sum, { stage }) => sum + stage.instructions.length + 1, 0));
    const { cacheFrom, cacheTo } = request;
    if (cacheFrom.length > 0) this.#shop.import(await ImportedCaches.open(this.#shop, cacheFrom, this.#reporter));
    const working = stages.map(({ stage }) => this.#stage(stage.index));
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
    if (failures.length > 0) throw failures[0];
    const { image: built, files } = await this.#stage(target);
    const labelled = { ...built, config: { ...built.config, Labels: labelsOf(built.config.Labels, request.labels) } };
    const diffIds = await files.diffIds();
    if (diffIds.length > maxLayers) throw buildError("layerLimit", { count: diffIds.length, limit: maxLayers });
    signal.throwIfAborted();
    const created = this.#shop.epoch === undefined ? files.parts.at(-1)?.created : undefined;
    const inline = cacheTo.some(({ kind }) => kind === "inline") ? encodeInline(this.#shop.steps, diffIds) : undefined;
    const config = encodeImage(labelled, diffIds, created || this.#shop.created, inline);
    return { id: digestOfBytes(config) as Digest as ImageId, config, diffIds, files };
  }

  /** What is kept of it, whether it has failed or not. */
  record(began: number, error: string): BuildRecord {
    const { outputs, dockerfile, target } = this.#shop.request;
    const names = outputs.flatMap((output) => (output.kind === "files" ? [] : output.names));
    const steps = this.#reporter.steps
      .filter(({ step }) => !step.isMetadata && step.isInternal !== true)
      .map(({ step, began: from, ended, isCached, isFresh, error: own, waits, parts }) => ({
        ...{ name: step.name, stage: step.stage, text: step.text, isCached, isFresh, error: own, waits, parts },
        ...{ began: from - began, ended: (ended || Date.now()) - began },
      }));
    return {
      subject: JSON.stringify([names, dockerfile.name, target]),
      dockerfile: shortDigest(dockerfile.text),
      ...{ names, began, milliseconds: Date.now() - began, error, steps },
    };
  }

  /** Holds afterwards: the cache is where it was asked for. */
  exportCaches({ diffIds }: BuiltImage): Promise<CacheDescriptor | undefined> {
    return exportCaches(this.#shop, { steps: this.#shop.steps, diffIds }, this.#reporter);
  }

  #stage(index: number): Promise<StageResult> {
    const known = this.#stages.get(index);
    if (known !== undefined) return known;
    const planned = this.#graph.stages.find(({ stage }) => stage.index === index)!;
    const build = new StageBuild({
      shop: this.#shop,
      planned,
      backslash: this.#file.directives.backslash,
      globals: this.#graph.globals,
      reporter: this.#reporter,
      sources: this.#sources(),
      stage: (other) => this.#stage(other),
      image: (name, platform) => this.#image(name, platform),
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
          return { tree: request.context.tree, owner: root, keepsXattrs: false, ...hidden };
        }
        const stage = findStage(this.#file.stages, name);
        if (stage !== undefined) {
          const { files } = await this.#stage(stage.index);
          return { tree: await files.tree(), keepsXattrs: true };
        }
        if (this.#contexts.hasFiles(name)) return this.#contexts.files(name);
        const record = await this.#image(name, "");
        const parts = record.layers.map((diffId) => new Part(Promise.resolve(diffId), record.created));
        for (const diffId of record.layers) this.#shop.hold(diffId);
        return { tree: await new StageFiles(this.#shop.rooms.images.layers, parts, "").tree(), keepsXattrs: true };
      },
    };
  }

  /** A base, fetched where it is not here: whoever needs it at the same time waits for the same. */
  #image(name: string, asked: string): Promise<BaseImage> {
    const key = JSON.stringify([name, asked]);
    const known = this.#bases.get(key) ?? this.#findBase(name, asked);
    this.#bases.set(key, known);
    return known;
  }

  #findBase(name: string, asked: string): Promise<BaseImage> {
    const context = this.#contexts.find(name);
    const platform = asked === "" ? this.#shop.request.platform : parseAsked(asked);
    if (context?.kind === "layout") return this.#contexts.image(name, context, platform);
    return this.#findImage(context?.kind === "image" ? context.name : name, asked, platform);
  }

  async #findImage(name: string, asked: string, platform: BuildPlatform): Promise<BaseImage> {
    const { rooms, request, signal } = this.#shop;
    const isHere = (): boolean => {
      const found = rooms.images.find(name);
      return found !== undefined && isFor(found, platform);
    };
    const before = rooms.images.find(name);
    if (request.pull || before === undefined || (asked !== "" && !isHere())) {
      const credentials = await request.credentials(parseName(name).domain);
      await rooms.pull(name, { platform, credentials, signal });
    }
    const found = rooms.images.find(name);
    if (found === undefined) throw buildError("noSuchBase", { name });
    if (!isFor(found, platform)) {
      throw buildError("otherPlatform", { name, has: formatPlatform(found), asked: formatPlatform(platform) });
    }
    return found;
  }
}

const parseAsked = (text: string): BuildPlatform => {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
};

const labelsOf = (before: Readonly<Record<string, string>> | null, more: Readonly<Record<string, string>>) =>
  Object.keys(more).length === 0 ? before : { ...before, ...more };

/** A frontend is an image that would run; ours is the language that docker/dockerfile has. */
const checkSyntax = (syntax: string | undefined): void => {
  if (syntax === undefined) return;
  if (!/^(docker\.io\/)?docker\/dockerfile(-upstream)?(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/.test(syntax)) {
    throw buildError("syntaxImage", { image: syntax });
  }
};
