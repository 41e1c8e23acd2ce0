import type { DiffId, ImageId } from "../base/ids.ts";
import type { HistoryEntry, ImageConfig } from "./config.ts";

/** An image as others see it. */
export interface ImageRecord {
  readonly id: ImageId;
  readonly config: ImageConfig;
  /** The lowest first. */
  readonly layers: readonly DiffId[];
  /** Bytes of what is in its layers, each counted once. */
  readonly size: number;
  /** RFC 3339; empty where the image does not say. */
  readonly created: string;
  /** As people write them: `busybox:latest`. */
  readonly tags: readonly string[];
  /** `busybox@sha256:…` */
  readonly digests: readonly string[];
  readonly architecture: string;
  readonly variant: string;
  readonly os: string;
  readonly osVersion: string;
  readonly author: string;
  readonly comment: string;
  readonly dockerVersion: string;
  readonly history: readonly HistoryEntry[];
  /** RFC 3339; empty when it never had a tag here. */
  readonly lastTagged: string;
}

/** A container that was made from an image. */
export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
}

export interface ImageEvent {
  readonly action: "load" | "import" | "pull" | "push" | "create" | "tag" | "untag" | "delete";
  readonly id: ImageId;
  /** The name that it is about, as people write it, or the id where it is about none. */
  readonly name: string;
}
