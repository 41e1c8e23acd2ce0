/** Whether everything stored is still what it was: every byte is read, and nothing that is not right is used again. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type Digest, digestFromHex } from "../base/ids.ts";
import { IndexBuilder } from "../format/erofs/builder.ts";
import { TarParser } from "../format/tar/parser.ts";
import type { BlobFiles } from "./blob-files.ts";
import type { Layers, StoredLayer } from "./layers.ts";
import type { ImageStore } from "./store.ts";

export interface Damage {
  readonly kind: "tar" | "index" | "blob" | "configuration" | "manifest";
  readonly digest: Digest;
  readonly reason: string;
  /** It is right again already: an index follows from its tar. */
  readonly isMended: boolean;
}

const CHUNK = 1024 * 1024;

/** Each damage as it is found; what cannot be mended is set aside, so that the next pull or load brings it anew. */
export async function* checkStore(
  { layers, store, files }: { readonly layers: Layers; readonly store: ImageStore; readonly files: BlobFiles },
  signal?: AbortSignal,
): AsyncGenerator<Damage> {
  for (const layer of layers.all()) {
    signal?.throwIfAborted();
    using _held = layers.hold([layer.diffId]);
    if (layers.get(layer.diffId) === undefined) continue;
    const damage = await damageOf(layers, layer);
    if (damage === undefined) continue;
    const isMended = damage.kind === "index" && (await mendIndex(layers, layer));
    if (!isMended) layers.distrust(layer.diffId);
    yield { ...damage, digest: layer.diffId, isMended };
  }
  for (const { digest, diffId } of [...layers.allKept()]) {
    signal?.throwIfAborted();
    using _held = layers.hold([diffId]);
    const reason = await wrongDigest(files.path(digest), digest);
    if (reason === undefined || layers.findKept(digest) === undefined) continue;
    layers.dropKept(digest);
    // Its bytes come with the layer.
    layers.distrust(diffId);
    yield { kind: "blob", digest, reason, isMended: false };
  }
  for (const { kind, digest } of documentsOf(store)) {
    const reason = await wrongDigest(files.path(digest), digest);
    if (reason === undefined || !store.needs(digest)) continue;
    files.remove(digest);
    yield { kind, digest, reason, isMended: false };
  }
}

const documentsOf = (store: ImageStore): readonly Pick<Damage, "kind" | "digest">[] => [
  ...[...store.all()].flatMap(({ id, manifest }) => [
    { kind: "configuration", digest: id as Digest } as const,
    ...(manifest === undefined ? [] : [{ kind: "manifest", digest: manifest.digest } as const]),
  ]),
  ...store.indexes.digests().map((digest) => ({ kind: "manifest", digest }) as const),
];

const damageOf = async (layers: Layers, layer: StoredLayer): Promise<Pick<Damage, "kind" | "reason"> | undefined> => {
  const wanted = await trueIndexOf(layers, layer);
  if (typeof wanted === "string") return { kind: "tar", reason: wanted };
  const hash = createHash("sha256");
  for (const piece of wanted) hash.update(piece);
  const reason = await wrongDigest(layers.place(layer.diffId).index, digestFromHex(hash.digest("hex")));
  return reason === undefined ? undefined : { kind: "index", reason };
};

/** Whether the layer's index is now what its tar says; what was built here is to be had from nobody else. */
const mendIndex = async (layers: Layers, layer: StoredLayer): Promise<boolean> => {
  const wanted = await trueIndexOf(layers, layer);
  if (typeof wanted === "string") return false;
  await layers.replaceIndex(layer.diffId, wanted);
  return true;
};

/** The index made anew, to be gone through once: the same tar gives the same. Or why the tar is not right itself. */
const trueIndexOf = async (
  layers: Layers,
  { diffId, tarSize }: StoredLayer,
): Promise<Iterable<Uint8Array> | string> => {
  const { tar } = layers.place(diffId);
  const hash = createHash("sha256");
  const builder = new IndexBuilder();
  const parser = new TarParser({ entry: (entry) => builder.add(entry) });
  let problem: string | undefined;
  try {
    for await (const bytes of createReadStream(tar, { highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>) {
      hash.update(bytes);
      if (problem === undefined) problem = attempt(() => parser.push(bytes));
    }
  } catch (error) {
    return wordsOf(error);
  }
  const found = digestFromHex(hash.digest("hex"));
  if (found !== diffId) return `its digest is ${found}`;
  return problem ?? attempt(() => parser.end()) ?? builder.finish({ diffId, tarSize });
};

const attempt = (work: () => void): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return wordsOf(error);
  }
};

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Why a file is not what its digest says; undefined when it is. */
const wrongDigest = async (path: string, digest: Digest): Promise<string | undefined> => {
  const hash = createHash("sha256");
  try {
    for await (const bytes of createReadStream(path, { highWaterMark: CHUNK })) hash.update(bytes as Uint8Array);
  } catch (error) {
    return wordsOf(error);
  }
  const found = digestFromHex(hash.digest("hex"));
  return found === digest ? undefined : `its digest is ${found}`;
};
