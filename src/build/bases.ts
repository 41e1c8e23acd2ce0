/** The images that a build stands on: from the store, from a registry, or from a named context; each fetched once for all who need it. */
import { formatPlatform, isFor } from "../api/platforms.ts";
import { isIdentifier } from "../image/lookup.ts";
import type { ImageRecord } from "../image/record.ts";
import { parseName } from "../image/reference.ts";
import { buildError } from "./errors.ts";
import type { BaseImage, NamedContexts } from "./named-contexts.ts";
import type { BuildPlatform } from "./platform.ts";
import type { Shop } from "./shop.ts";

export class Bases {
  readonly #shop: Shop;
  readonly #contexts: NamedContexts;
  readonly #known = new Map<string, Promise<BaseImage>>();
  /** Of each name the last that is looked for. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(shop: Shop, contexts: NamedContexts) {
    this.#shop = shop;
    this.#contexts = contexts;
  }

  /** The image of this name for the platform, stored; whoever needs it at the same time waits for the same. */
  get(name: string, platform: BuildPlatform): Promise<BaseImage> {
    const key = JSON.stringify([name, formatPlatform(platform)]);
    const known = this.#known.get(key) ?? this.#find(name, platform);
    this.#known.set(key, known);
    return known;
  }

  #find(name: string, platform: BuildPlatform): Promise<BaseImage> {
    const context = this.#contexts.find(name);
    if (context?.kind === "layout") return this.#contexts.image(name, context, platform);
    const real = context?.kind === "image" ? context.name : name;
    // One after the other: the second of two platforms finds the name taken by the first, and leaves it there.
    const turn = (this.#turns.get(real) ?? Promise.resolve()).then(() => this.#findImage(real, platform));
    this.#turns.set(
      real,
      turn.catch(() => {}),
    );
    return turn;
  }

  async #findImage(name: string, platform: BuildPlatform): Promise<BaseImage> {
    const { request, rooms } = this.#shop;
    const { images } = rooms;
    const named = images.find(name);
    const here = await this.#here(name, named, platform);
    const isId = named !== undefined && isIdentifier(name, named.id);
    if (here !== undefined && (!request.pull || isId)) return here;
    const isTaken = named !== undefined && !isFor(named, platform);
    const found = isTaken ? await this.#pullBeside(name, named, platform) : await this.#pull(name, platform);
    if (found === undefined) throw buildError("noSuchBase", { name });
    if (!isFor(found, platform)) throw otherPlatform(name, found, platform);
    return found;
  }

  /** What the store has under the name for the platform: its image, or one that its index lists beside it. */
  async #here(name: string, named: ImageRecord | undefined, platform: BuildPlatform): Promise<ImageRecord | undefined> {
    if (named === undefined || isFor(named, platform)) return named;
    const { others } = await this.#shop.rooms.images.machines(name);
    return others.map(({ image }) => image).find((image) => isFor(image, platform));
  }

  async #pull(name: string, platform: BuildPlatform, keepsName = false): Promise<ImageRecord | undefined> {
    const { rooms, request, signal } = this.#shop;
    const credentials = await request.credentials(parseName(name).domain);
    const [id] = await rooms.pull(name, { platform, keepsName, credentials, signal });
    return id === undefined ? undefined : rooms.images.find(id);
  }

  /** The name stays that of the image for another platform. */
  async #pullBeside(name: string, named: ImageRecord, platform: BuildPlatform): Promise<ImageRecord | undefined> {
    if (isIdentifier(name, named.id)) throw otherPlatform(name, named, platform);
    try {
      return await this.#pull(name, platform, true);
    } catch (cause) {
      this.#shop.signal.throwIfAborted();
      throw otherPlatform(name, named, platform, cause);
    }
  }
}

const otherPlatform = (name: string, has: ImageRecord, asked: BuildPlatform, cause?: unknown): Error =>
  buildError("otherPlatform", { name, has: formatPlatform(withoutBlank(has)), asked: formatPlatform(asked) }, cause);

const withoutBlank = ({ os, architecture, variant }: ImageRecord) => ({
  ...{ os, architecture },
  ...(variant === "" ? {} : { variant }),
});
