/** `docker commit`: an image, and what a container of it has written, become another image. */
import type { DiffId } from "../base/ids.ts";
import { applyChanges } from "./changes.ts";
import type { ImageConfig } from "./config.ts";
import { imageError } from "./errors.ts";
import { withoutNothing } from "./import.ts";
import type { ImageRecord } from "./record.ts";
import { type ImageName, nameToGive, parseName } from "./reference.ts";

export interface CommitOptions {
  readonly parent: ImageRecord;
  /** What containers of the new image start with; the changes come on top. */
  readonly config: ImageConfig;
  /** Instructions of a Dockerfile: `CMD ["sh"]`. */
  readonly changes: readonly string[];
  readonly name?: string;
  readonly author: string;
  readonly comment: string;
  /** The command that has written it. */
  readonly createdBy: string;
}

export interface CommitPlan {
  readonly names: readonly ImageName[];
  /** The bytes of the configuration; a layer that changes nothing is none. */
  config(layer: { readonly diffId: DiffId; readonly isEmpty: boolean }): Uint8Array;
}

/** Everything about the commit that can be wrong is found before the container is read. */
export const planCommit = (options: CommitOptions, now: Date): CommitPlan => {
  const { parent, author, comment, createdBy } = options;
  const config = applyChanges(options.config, options.changes);
  const created = now.toISOString();
  const document = (layer: { readonly diffId: DiffId; readonly isEmpty: boolean }) => ({
    architecture: parent.architecture,
    ...(parent.variant === "" ? {} : { variant: parent.variant }),
    ...(author === "" ? {} : { author }),
    ...(comment === "" ? {} : { comment }),
    config: withoutNothing(config),
    created,
    history: [
      ...parent.history.map(withoutNothing),
      withoutNothing({
        created,
        created_by: createdBy,
        author,
        comment,
        ...(layer.isEmpty ? { empty_layer: true } : {}),
      }),
    ],
    os: parent.os,
    rootfs: { type: "layers", diff_ids: [...parent.layers, ...(layer.isEmpty ? [] : [layer.diffId])] },
  });
  return {
    names: options.name === undefined ? [] : [parseCommitName(options.name)],
    config: (layer) => new TextEncoder().encode(JSON.stringify(document(layer))),
  };
};

const parseCommitName = (text: string): ImageName => {
  const name = parseName(text);
  if (name.digest !== undefined) throw imageError("digestTag", {});
  return nameToGive(name);
};
