/** `docker import`: a root file system becomes an image of one layer. */
import type { DiffId } from "../base/ids.ts";
import { applyChanges } from "./changes.ts";
import { emptyConfig } from "./config.ts";
import { imageError } from "./errors.ts";
import { machineArchitecture } from "./manifest.ts";
import { type ImageName, nameToGive, parseName } from "./reference.ts";

export interface ImportOptions {
  readonly name?: string;
  /** Kept as the image's comment. */
  readonly message?: string;
  /** Instructions of a Dockerfile: `CMD ["sh"]`. */
  readonly changes?: readonly string[];
  readonly architecture?: string;
  readonly variant?: string;
  readonly signal?: AbortSignal;
}

export interface ImportPlan {
  readonly names: readonly ImageName[];
  /** The bytes of the configuration for the layer that the import turned out to be. */
  config(layer: DiffId): Uint8Array;
}

/** Everything about the import that can be wrong is found before its first byte is read. */
export const planImport = (options: ImportOptions, now: Date): ImportPlan => {
  const config = applyChanges(emptyConfig, options.changes ?? []);
  const comment = options.message ?? "";
  const created = now.toISOString();
  const document = (layer: DiffId) => ({
    architecture: options.architecture ?? machineArchitecture,
    ...(options.variant === undefined ? {} : { variant: options.variant }),
    ...(comment === "" ? {} : { comment }),
    config: withoutNothing(config),
    created,
    history: [{ created, ...(comment === "" ? {} : { comment }) }],
    os: "linux",
    rootfs: { type: "layers", diff_ids: [layer] },
  });
  return {
    names: options.name === undefined ? [] : [parseImportName(options.name)],
    config: (layer) => new TextEncoder().encode(JSON.stringify(document(layer))),
  };
};

const parseImportName = (text: string): ImageName => {
  const name = parseName(text);
  if (name.digest !== undefined) throw imageError("importDigest", {});
  return nameToGive(name);
};

/** What was never said is left out of the document, as in images of other makers. */
export const withoutNothing = <T extends object>(config: T): Partial<T> =>
  Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ) as Partial<T>;
