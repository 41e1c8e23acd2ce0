/** The service of the room: builds, one place on disk for each, and what their cache takes. */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Digest, ImageId } from "../base/ids.ts";
import { type CacheDescriptor, checkExports } from "./cache-export.ts";
import type { Warning } from "./check/check.ts";
import { type Context, readText, storeArchive } from "./context.ts";
import { parseDockerfile } from "./dockerfile/stages.ts";
import { buildError } from "./errors.ts";
import { hidePassword } from "./git/address.ts";
import { KeptContexts, type ListedContext } from "./kept-contexts.ts";
import type { Outline } from "./outline.ts";
import { checkOutputs, identify, type OutputResult, writeOutput } from "./outputs.ts";
import { fetchContext } from "./remote.ts";
import { type BuildListener, Reporter } from "./report.ts";
import type { BuildRequest } from "./request.ts";
import { gitSecretIds } from "./secrets.ts";
import { type BuildRooms, Shop } from "./shop.ts";
import { type Target, targetsOf } from "./targets.ts";
import { WholeBuild } from "./whole-build.ts";
import { type Explanation, explainLast } from "./why.ts";

/** A request whose context is still to come. */
export type AskedBuild = Omit<BuildRequest, "context" | "dockerfile">;

export interface BuildSource {
  /** A tar, plain or compressed; the address of what we fetch by ourselves; or a directory of which only changes are read. */
  readonly archive: AsyncIterable<Uint8Array> | string | ListedContext;
  /** The Dockerfile's path in it. */
  readonly dockerfile: string;
  /** The Dockerfile itself, where it is not in the archive. */
  readonly text?: string;
}

export interface BuildOutcome {
  /** Of several images that of the index over them. */
  readonly id: Digest;
  /** What the only image says of itself, which is what it is known by here. */
  readonly config?: ImageId;
  /** In the order in which they were asked for. */
  readonly outputs: readonly OutputResult[];
  /** What a client's own store has of the cache. */
  readonly cache?: CacheDescriptor;
}

/** What can be asked of a Dockerfile instead of a build. */
export type Question = "check" | "outline" | "targets";

/** A Dockerfile, and what was asked of it: what it is to be warned of, what it can be given, which stages there are. */
export type Told = { readonly name: string; readonly text: string } & (
  | { readonly about: "check"; readonly warnings: readonly Warning[] }
  | { readonly about: "outline"; readonly outline: Outline }
  | { readonly about: "targets"; readonly targets: readonly Target[] }
);

/** Why a build failed, with the lines of the Dockerfile to show. */
export interface BuildFailed {
  readonly error: unknown;
  readonly excerpt: string;
  /** Its text. */
  readonly dockerfile: string;
}

export interface CacheEntry {
  readonly id: string;
  readonly kind: "regular" | "exec.cachemount" | "source.local";
  readonly description: string;
  readonly size: number;
  readonly inUse: boolean;
  /** Something else than the cache has it. */
  readonly isShared: boolean;
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
}

/** In bytes: of the cache, and of the disk that it is on. */
export interface CacheUse {
  readonly total: number;
  readonly free: number;
}

export class Builds {
  readonly #rooms: BuildRooms;
  readonly #contexts: KeptContexts;

  private constructor(rooms: BuildRooms, contexts: KeptContexts) {
    this.#rooms = rooms;
    this.#contexts = contexts;
  }

  /** Holds afterwards: what an earlier daemon's builds left is gone. */
  static async open(rooms: BuildRooms): Promise<Builds> {
    const places = [join(rooms.root, "build", "running"), join(rooms.run, "build")];
    for (const place of places) {
      for (const name of await readdir(place).catch(() => []))
        await rm(join(place, name), { recursive: true, force: true });
      await mkdir(place, { recursive: true, mode: 0o700 });
    }
    const contexts = await KeptContexts.open(join(rooms.root, "build", "contexts"), () => rooms.clock.now());
    return new Builds(rooms, contexts);
  }

  /**
   * Holds afterwards: what was built is where its outputs say, or nothing of the build is left but its cache. Rejects with what went wrong;
   * `failed` is told first where in the Dockerfile.
   */
  async build(
    asked: AskedBuild,
    source: BuildSource,
    options: {
      readonly listener: BuildListener;
      readonly signal: AbortSignal;
      readonly failed: (failure: BuildFailed) => void;
    },
  ): Promise<BuildOutcome> {
    checkOutputs(asked);
    checkExports(asked.cacheTo);
    const name = randomBytes(6).toString("hex");
    const directory = join(this.#rooms.root, "build", "running", name);
    const secrets = join(this.#rooms.run, "build", name);
    await mkdir(directory, { mode: 0o700 });
    try {
      const reporter = new Reporter(options.listener);
      await using opened = await this.#open(source, asked, { directory, reporter, signal: options.signal });
      const { context, text } = opened;
      const dockerfile = dockerfileOf(context, text === undefined ? source : { ...source, text });
      const request: BuildRequest = { ...asked, context, dockerfile };
      await using shop = new Shop(this.#rooms, request, { directory, secrets }, options.signal);
      const build = new WholeBuild(shop, reporter);
      const began = this.#rooms.clock.now();
      const keep = (error: string): void => this.#rooms.records.add(build.record(began, error));
      try {
        const built = await build.run();
        const outputs: OutputResult[] = [];
        for (const output of request.outputs) outputs.push(await writeOutput(shop, built, output));
        const cache = await build.exportCaches(built);
        keep("");
        return { ...identify(shop, built), outputs, ...(cache === undefined ? {} : { cache }) };
      } catch (error) {
        keep(error instanceof Error ? error.message : String(error));
        options.failed({ error, excerpt: build.excerpt(error), dockerfile: dockerfile.text });
        throw error;
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
      await rm(secrets, { recursive: true, force: true });
      this.#rooms.images.collectLayers();
    }
  }

  /** What the Dockerfile says; nothing is built, and no base is fetched. */
  async tell(about: Question, asked: AskedBuild, source: BuildSource, signal: AbortSignal): Promise<Told> {
    const name = randomBytes(6).toString("hex");
    const directory = join(this.#rooms.root, "build", "running", name);
    await mkdir(directory, { mode: 0o700 });
    try {
      const reporter = new Reporter(() => {});
      await using opened = await this.#open(source, asked, { directory, reporter, signal });
      const { context, text } = opened;
      const dockerfile = dockerfileOf(context, text === undefined ? source : { ...source, text });
      // All of them are told, whatever is wrong with the one that would be built.
      if (about === "targets")
        return { ...dockerfile, about, targets: targetsOf(parseDockerfile(dockerfile.text, dockerfile.name)) };
      const request: BuildRequest = { ...asked, context, dockerfile };
      await using shop = new Shop(this.#rooms, request, { directory, secrets: directory }, signal);
      const build = new WholeBuild(shop, reporter);
      return about === "check"
        ? { ...dockerfile, about, warnings: build.check().warnings }
        : { ...dockerfile, about, outline: build.outline() };
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** The context, as an archive in the directory; with the Dockerfile's text where that is all there is. */
  async #open(
    { archive, text: given }: BuildSource,
    asked: AskedBuild,
    options: { readonly directory: string; readonly reporter: Reporter; readonly signal: AbortSignal },
  ): Promise<{ readonly context: Context; readonly text?: string } & AsyncDisposable> {
    const { directory, reporter, signal } = options;
    const own = { [Symbol.asyncDispose]: async (): Promise<void> => {} };
    if (typeof archive !== "string" && "list" in archive) {
      const context = await this.#contexts.take(archive, signal);
      return { context, [Symbol.asyncDispose]: () => context[Symbol.asyncDispose]() };
    }
    if (typeof archive !== "string") return { ...own, context: await storeArchive(archive, directory, signal) };
    const remote = join(directory, "context");
    await mkdir(remote, { mode: 0o700 });
    const name = `[internal] load remote build context ${hidePassword(archive)}`;
    const running = reporter.begin({ stage: "", name, text: name, isMetadata: false, isInternal: true }, false);
    try {
      const secrets = await asked.secrets(gitSecretIds(archive));
      const keepsGitDirectory = /^(1|true)$/i.test(asked.args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR") ?? "");
      const { tree, text = given } = await fetchContext(archive, {
        directory: remote,
        signal,
        secrets,
        keepsGitDirectory,
      });
      running.end();
      return { ...own, context: { tree, isRemote: true }, ...(text === undefined ? {} : { text }) };
    } catch (error) {
      running.end(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** Of the last build: why its steps were made anew, and what they waited for; undefined: there was none. */
  explain(): Explanation | undefined {
    return explainLast(this.#rooms.records.list());
  }

  /** What the cache holds. */
  async cache(): Promise<readonly CacheEntry[]> {
    const { images, cache, cacheMounts } = this.#rooms;
    const used = new Set(images.list().flatMap(({ layers }) => layers));
    const entries = cache.list();
    const sizes = await images.diskUse(entries.map(({ diffId }) => diffId));
    const steps = entries.map(({ key, diffId, description, created, lastUsed, uses }): CacheEntry => {
      const isShared = used.has(diffId);
      // Steps may have made the same: it lies on the disk once.
      used.add(diffId);
      return {
        ...{ id: key, kind: "regular", description, created, lastUsed, uses, inUse: false, isShared },
        size: sizes.get(diffId) ?? 0,
      };
    });
    const mounts = (await cacheMounts.list()).map(
      ({ id, size, inUse, created }): CacheEntry => ({
        ...{ id, kind: "exec.cachemount", description: "a cache mount", size, inUse, isShared: false },
        ...{ created, lastUsed: created, uses: 1 },
      }),
    );
    const contexts = this.#contexts.list().map(
      ({ id, size, created, used, uses }): CacheEntry => ({
        ...{ id, kind: "source.local", description: "a context of a client's", size, inUse: false, isShared: false },
        ...{ created, lastUsed: used, uses },
      }),
    );
    return [...steps, ...mounts, ...contexts];
  }

  /** Holds afterwards: what the filter chose is no longer in the cache. Answers what went and the bytes that came free. */
  async prune(
    chooser: (use: CacheUse) => (entry: CacheEntry) => boolean,
  ): Promise<{ readonly gone: readonly CacheEntry[]; readonly bytes: number }> {
    const { cache, cacheMounts, images } = this.#rooms;
    const entries = await this.cache();
    const { bavail, bsize } = await statfs(this.#rooms.root);
    const total = entries.reduce((sum, { size }) => sum + size, 0);
    const isChosen = chooser({ total, free: bavail * bsize });
    const chosen = entries.filter((entry) => !entry.inUse && isChosen(entry));
    const of = (kind: CacheEntry["kind"]) => chosen.filter((entry) => entry.kind === kind).map(({ id }) => id);
    cache.remove(of("regular"));
    await cacheMounts.remove(of("exec.cachemount"));
    await this.#contexts.remove(of("source.local"));
    images.collectLayers();
    const bytes = chosen.filter(({ isShared }) => !isShared).reduce((sum, { size }) => sum + size, 0);
    return { gone: chosen, bytes };
  }
}

const dockerfileOf = (context: Context, { dockerfile, text }: BuildSource): BuildRequest["dockerfile"] => {
  const found =
    text ??
    readText(context.tree, `/${dockerfile}`) ??
    (dockerfile === "Dockerfile" ? readText(context.tree, "/dockerfile") : undefined);
  if (found === undefined) throw buildError("noDockerfile", { name: dockerfile });
  return { name: dockerfile, text: found };
};
