/** `--cache-from`, `--cache-to`: the caches of other builds, and where ours goes. */
import { BlobStore } from "./blob-store.ts";
import { type CliOutput, parseFields } from "./outputs.ts";

type Entry = Pick<CliOutput, "Type" | "Attrs">;

export interface CliCaches {
  readonly imports: readonly Entry[];
  readonly exports: readonly Entry[];
  /** Directories of ours that the daemon reads or writes. */
  readonly stores: ReadonlyMap<string, BlobStore>;
  /** Holds afterwards: what the daemon calls its cache is found in our directories by its name. */
  finish(manifest: string | undefined): void;
}

const entryOf = (given: string): Entry => {
  if (!given.includes("=")) return { Type: "registry", Attrs: { ref: given } };
  const { type = "", ...Attrs } = Object.fromEntries(parseFields(given));
  return { Type: type, Attrs };
};

export const openCaches = (from: readonly string[], to: readonly string[]): CliCaches => {
  const stores = new Map<string, BlobStore>();
  const storeAt = (directory: string): BlobStore => {
    const store = stores.get(`local:${directory}`) ?? new BlobStore(directory);
    stores.set(`local:${directory}`, store);
    return store;
  };
  const imports = from.map(entryOf).flatMap((entry): readonly Entry[] => {
    const { src, tag = "latest", ...rest } = entry.Attrs;
    if (entry.Type !== "local" || src === undefined) return [entry];
    // A directory that has none yet is how every cache begins.
    const digest = rest.digest ?? storeAt(src).find(tag);
    return digest === undefined ? [] : [{ Type: "local", Attrs: { src, digest } }];
  });
  const exports = to.map(entryOf);
  const written = exports.flatMap(({ Type, Attrs }) =>
    Type === "local" && Attrs.dest !== undefined ? [{ store: storeAt(Attrs.dest), tag: Attrs.tag ?? "latest" }] : [],
  );
  return {
    ...{ imports, exports, stores },
    finish: (manifest) => {
      if (manifest === undefined) return;
      const descriptor = JSON.parse(manifest) as Readonly<Record<string, unknown>>;
      for (const { store, tag } of written) store.name(tag, descriptor);
    },
  };
};
