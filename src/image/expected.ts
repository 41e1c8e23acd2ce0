import type { DiffId, Digest } from "../base/ids.ts";
import { imageError } from "./errors.ts";
import type { LayerFacts } from "./layer-writer.ts";

/** What a layer's bytes must turn out to be. */
export interface ExpectedLayer {
  /** Of the blob, as it came. */
  readonly digest?: Digest;
  readonly size?: number;
  readonly diffId?: DiffId;
}

/** Throws when the layer is not what was expected. */
export const checkLayer = (layer: LayerFacts, expected: ExpectedLayer, position = 0): void => {
  const what = `layer ${position}`;
  const { digest, size, diffId } = expected;
  if (size !== undefined && size !== layer.blob.size) {
    throw imageError("sizeMismatch", { what, expected: size, found: layer.blob.size });
  }
  if (digest !== undefined && digest !== layer.blob.digest) {
    throw imageError("digestMismatch", { what, expected: digest, found: layer.blob.digest });
  }
  if (diffId !== undefined && diffId !== layer.diffId) {
    throw imageError("diffIdMismatch", { position, expected: diffId, found: layer.diffId });
  }
};
