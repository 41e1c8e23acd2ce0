/** How images come into the store: all that come together, or none. */
import type { DiffId, Digest, ImageId } from "../base/ids.ts";
import { type ImageDescription, parseConfig } from "./config.ts";
import { imageError } from "./errors.ts";
import type { Layers } from "./layers.ts";
import { type ArchivedLayer, digestOfBytes } from "./members.ts";
import type { ImageEvent } from "./record.ts";
import { familiarName, type ImageName } from "./reference.ts";
import type { ImageStore } from "./store.ts";
import type { ManifestDocument } from "./stored-image.ts";

/** An image that is about to be stored: its layers are on disk already, or held and stored. */
export interface NewImage {
  readonly config: Uint8Array;
  readonly layers: readonly ArchivedLayer[];
  /** With tags, with digests, or none. */
  readonly names: readonly ImageName[];
  /** What it came with, verified. */
  readonly manifest?: ManifestDocument;
  /** What its names stand for in the registry, verified, where that is more than this image. */
  readonly index?: ManifestDocument | undefined;
}

export interface CreationRooms {
  readonly layers: Layers;
  readonly store: ImageStore;
  /** No layer is stored afterwards that no image has and nobody holds. */
  collect(): void;
  tell(event: ImageEvent): void;
  now(): string;
}

/**
 * Holds afterwards: all these images are stored under their names, also after a power cut; or none of them.
 * Who stores them vouches for each layer's being the one that the configuration names.
 */
export const createImages = async (
  rooms: CreationRooms,
  images: readonly NewImage[],
  action: "load" | "import" | "pull" | "create",
): Promise<readonly ImageId[]> => {
  const { layers, store } = rooms;
  const described = images.map((image) => {
    const id = digestOfBytes(image.config) as Digest as ImageId;
    return { ...image, id, description: parseConfig(image.config) };
  });
  const blobs = described.flatMap(({ id, config, manifest, index }): readonly (readonly [Digest, Uint8Array])[] => [
    [id, config],
    ...[manifest, index].flatMap((one) => (one === undefined ? [] : [[one.digest, one.bytes] as const])),
  ]);
  const unneeded: Digest[] = [];
  try {
    using _held = layers.hold(described.flatMap(({ description }) => description.layers));
    await commitLayers(
      layers,
      described.flatMap((image) => image.layers),
    );
    // A configuration may be taken away again, with an image that is removed at this moment.
    const missing = () => blobs.find(([digest]) => !store.hasBlob(digest));
    for (let one = missing(); one !== undefined; one = missing()) await store.writeBlob(...one);
    requireLayers(
      layers,
      described.map(({ description }) => description),
    );
    store.transaction(() => {
      for (const { id, description, names, manifest, index } of described) {
        store.put(id, description);
        if (manifest !== undefined) unneeded.push(store.describe(id, manifest) ?? manifest.digest);
        layers.endLeases(description.layers);
        for (const name of names) {
          unneeded.push(...[store.indexes.get(name)?.digest].filter((digest) => digest !== undefined));
          store.name(name, id, rooms.now(), index);
        }
      }
    });
  } catch (error) {
    unneeded.push(...blobs.map(([digest]) => digest));
    throw error;
  } finally {
    for (const digest of unneeded) store.discardBlob(digest);
    rooms.collect();
  }
  for (const { id, names } of described) {
    if (action === "pull") {
      rooms.tell({ action, id, name: names[0] === undefined ? id : familiarName(names[0]) });
      continue;
    }
    rooms.tell({ action, id, name: id });
    for (const name of names) rooms.tell({ action: "tag", id, name: familiarName(name) });
  }
  return described.map(({ id }) => id);
};

/** All at once, so that the disk syncs them together; none is still under way when one has failed. */
const commitLayers = async (layers: Layers, archived: readonly ArchivedLayer[]): Promise<void> => {
  const staged = new Set(archived.flatMap((layer) => layer.staged ?? []));
  const results = await Promise.allSettled([...staged].map((layer) => layers.commit(layer)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
};

const requireLayers = (layers: Layers, descriptions: readonly ImageDescription[]): void => {
  for (const diffId of descriptions.flatMap((description): readonly DiffId[] => description.layers)) {
    if (layers.get(diffId) === undefined) throw imageError("missingLayer", { diffId });
  }
};
