/** An image as the store has it. */
import type { Digest, ImageId } from "../base/ids.ts";
import type { ImageDescription } from "./config.ts";

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
}

/** A manifest or an index with what it is the digest of, verified. */
export interface ManifestDocument extends StoredManifest {
  readonly bytes: Uint8Array;
}

export interface StoredImage {
  readonly id: ImageId;
  readonly description: ImageDescription;
  /** Counts up with every image that is stored. */
  readonly number: number;
  /** Nobody sees it any more, and a container still lives on it. */
  readonly isRemoved: boolean;
  readonly lastTagged: string;
  /** What a registry or an archive called it by, byte for byte. */
  readonly manifest: StoredManifest | undefined;
}
