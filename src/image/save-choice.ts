/** What is saved: which images, and what their names stand for. */
import type { Platform } from "../api/platforms.ts";
import type { ImageId } from "../base/ids.ts";
import { imageError } from "./errors.ts";
import type { Images } from "./images.ts";
import type { Descriptor } from "./manifest.ts";
import { canonicalName, familiarName, type ImageName, parseName, repositoryOf } from "./reference.ts";
import type { ManifestDocument } from "./stored-image.ts";

export interface SaveOptions {
  /** That of a name's images which is for this platform. */
  readonly platform?: Platform;
  /** Every image that a name stands for here, and the index over them. */
  readonly allPlatforms?: boolean;
}

/** What a name stands for, where that is more than one image. */
export interface ChosenIndex {
  readonly name: ImageName;
  readonly document: ManifestDocument;
  /** Those that are here. */
  readonly listed: readonly { readonly descriptor: Descriptor; readonly id: ImageId }[];
}

export interface Chosen {
  /** In the order in which they were asked for: with the names that were meant. */
  readonly images: ReadonlyMap<ImageId, readonly ImageName[]>;
  readonly indexes: readonly ChosenIndex[];
}

export const chooseImages = async (
  images: Images,
  references: readonly string[],
  options: SaveOptions,
): Promise<Chosen> => {
  const chosen = new Map<ImageId, readonly ImageName[]>();
  const indexes = new Map<string, ChosenIndex>();
  const choose = (id: ImageId, names: readonly ImageName[]): void => {
    const before = chosen.get(id) ?? [];
    const known = new Set(before.map(canonicalName));
    chosen.set(id, [...before, ...names.filter((name) => !known.has(canonicalName(name)))]);
  };
  for (const reference of references) {
    for (const { id, names } of meant(images, reference)) {
      if (names.length === 0) choose(id, []);
      // Each name of an image may stand for others' images of its own.
      for (const name of names) {
        if (options.allPlatforms !== true) {
          choose((await images.forPlatform(familiarName(name), options.platform)).id, [name]);
          continue;
        }
        const { image, index, others } = await images.machines(familiarName(name));
        choose(image.id, [name]);
        for (const other of others) choose(other.image.id, []);
        const listed = others.map(({ descriptor, image: one }) => ({ descriptor, id: one.id }));
        if (index !== undefined) indexes.set(canonicalName(name), { name, document: index, listed });
      }
    }
  }
  if (chosen.size === 0) throw imageError("nothingToSave", {});
  return { images: chosen, indexes: [...indexes.values()] };
};

/** A name without a tag means every tag of its repository, as in Docker; an id means the image without its names. */
const meant = (
  images: Images,
  reference: string,
): readonly { readonly id: ImageId; readonly names: readonly ImageName[] }[] => {
  const name = nameIn(reference);
  if (name !== undefined && name.tag === undefined && name.digest === undefined) {
    const repository = repositoryOf(name);
    const found = images.list().flatMap(({ id, tags }) => {
      const own = tags.map(parseName).filter((tag) => repositoryOf(tag) === repository);
      return own.length === 0 ? [] : [{ id, names: own }];
    });
    if (found.length > 0) return found;
  }
  const { id, tags } = images.get(reference);
  const own = name?.tag === undefined ? [] : tags.map(parseName).filter((tag) => isSame(tag, name));
  return [{ id, names: own }];
};

const isSame = (a: ImageName, b: ImageName): boolean => repositoryOf(a) === repositoryOf(b) && a.tag === b.tag;

const nameIn = (reference: string): ImageName | undefined => {
  try {
    return parseName(reference);
  } catch {
    // An id.
    return undefined;
  }
};
