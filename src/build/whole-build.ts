/** One build, from its request to its images: one for each platform, all of them made at the same time. */
import { Bases } from "./bases.ts";
import { Build } from "./build.ts";
import { type CacheDescriptor, exportCaches } from "./cache-export.ts";
import { ImportedCaches } from "./cache-import.ts";
import type { CheckResult } from "./check/check.ts";
import { NamedContexts } from "./named-contexts.ts";
import type { Outline } from "./outline.ts";
import type { BuiltImage } from "./outputs.ts";
import { orderPlatforms } from "./platform.ts";
import { type BuildRecord, shortDigest } from "./record.ts";
import type { Reporter } from "./report.ts";
import type { Shop } from "./shop.ts";

export class WholeBuild {
  readonly #shop: Shop;
  readonly #reporter: Reporter;
  /** This machine's first, if it is among them. */
  readonly #builds: readonly [Build, ...Build[]];

  /** Throws what is wrong with the Dockerfile before anything is done. */
  constructor(shop: Shop, reporter: Reporter) {
    this.#shop = shop;
    this.#reporter = reporter;
    const contexts = new NamedContexts(shop, reporter);
    const world = { shop, reporter, contexts, bases: new Bases(shop, contexts) };
    const [first, ...others] = orderPlatforms(shop.request.platforms).map((platform) => new Build(world, platform));
    this.#builds = [first!, ...others];
  }

  /** Where in the Dockerfile a failure belongs, as lines to show; "" where it belongs nowhere. */
  excerpt(error: unknown): string {
    return this.#builds[0].excerpt(error);
  }

  /** What the Dockerfile is to be warned of, as far as what is here tells. */
  check(): CheckResult {
    return this.#builds[0].check();
  }

  /** What it can be given, as far as what is here tells. */
  outline(): Outline {
    return this.#builds[0].outline();
  }

  /** Holds afterwards, until the build is over: every layer of the images is stored. */
  async run(): Promise<readonly BuiltImage[]> {
    const { request, signal } = this.#shop;
    const { name, text } = request.dockerfile;
    const [first] = this.#builds;
    first.refuseWarned();
    try {
      this.#reporter.planned(this.#builds.reduce((sum, { steps }) => sum + steps, 0));
      if (request.cacheFrom.length > 0)
        this.#shop.import(await ImportedCaches.open(this.#shop, request.cacheFrom, this.#reporter));
      const failures: unknown[] = [];
      await Promise.all(this.#builds.map((build) => build.run().catch((error: unknown) => failures.push(error))));
      if (failures.length > 0) throw failures[0];
      // Only now each knows every step: a cache in an image has them all.
      const images: BuiltImage[] = [];
      for (const build of this.#builds) images.push(await build.finish());
      signal.throwIfAborted();
      return images;
    } finally {
      // By now the bases are here, and say which variables there are.
      this.#reporter.warn(name, text, this.check().warnings);
    }
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
  exportCaches(images: readonly BuiltImage[]): Promise<CacheDescriptor | undefined> {
    const diffIds = images.flatMap((image) => image.diffIds);
    return exportCaches(this.#shop, { steps: this.#shop.steps, diffIds }, this.#reporter);
  }
}
