/** How an image came to be, as `docker history` shows it. */
import { createHash } from "node:crypto";
import type { ImageHistoryItem } from "../api/answers/images.ts";
import { type DiffId, type Digest, digestFromHex } from "../base/ids.ts";
import type { ImageRecord } from "./record.ts";

/** The last step first. Only the image itself has an id: what it was built on may not be stored. */
export const historyOf = (image: ImageRecord, sizeOf: (layer: DiffId) => number): readonly ImageHistoryItem[] => {
  const layers = image.layers[Symbol.iterator]();
  const items = image.history.map((entry): ImageHistoryItem => {
    const layer = entry.empty_layer ? undefined : layers.next().value;
    return {
      Id: "<missing>",
      Created: Math.floor((Date.parse(entry.created) || 0) / 1000),
      CreatedBy: entry.created_by,
      Tags: null,
      Size: layer === undefined ? 0 : sizeOf(layer),
      Comment: entry.comment,
    };
  });
  const [last, ...before] = items.reverse();
  if (last === undefined) return [];
  return [{ ...last, Id: image.id, Tags: image.tags.length === 0 ? null : image.tags }, ...before];
};

/** The chain id of every stack of the layers, the lowest first (OCI image-spec, config.md): Docker's names for layers. */
export const chainIds = (layers: readonly DiffId[]): readonly Digest[] => {
  const chains: Digest[] = [];
  for (const layer of layers) {
    const below = chains.at(-1);
    const chain =
      below === undefined ? layer : digestFromHex(createHash("sha256").update(`${below} ${layer}`).digest("hex"));
    chains.push(chain);
  }
  return chains;
};
