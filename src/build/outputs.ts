/** What becomes of what was built: an image in the store, an archive of it, or its files alone. */
import type { DiffId, Digest, ImageId } from "../base/ids.ts";
import type { TarHeader, TarOutput } from "../format/tar/write.ts";
import { encodeLayout, encodeOciLayout, type LayoutImage, type LayoutLayer } from "../image/layout.ts";
import { familiarName, type ImageName, nameToGive, parseName } from "../image/reference.ts";
import { describeNew, writeLayout } from "../image/save.ts";
import type { Tree, TreePath } from "../image/tree.ts";
import type { StageFiles } from "./files.ts";
import type { Shop } from "./shop.ts";

export type BuildOutput =
  | {
      readonly kind: "image";
      /** As written: `web`, `web:1`. */
      readonly names: readonly string[];
      readonly push: boolean;
    }
  | {
      readonly kind: "archive";
      readonly layout: "oci" | "docker";
      readonly names: readonly string[];
      readonly compression: "gzip" | "uncompressed";
      readonly deliver: (archive: AsyncIterable<Uint8Array>) => Promise<void>;
    }
  | {
      readonly kind: "files";
      readonly deliver: (tree: Tree) => Promise<void>;
    };

export interface BuiltImage {
  readonly id: ImageId;
  readonly config: Uint8Array;
  /** The lowest first; they are stored, and held until the build is over. */
  readonly diffIds: readonly DiffId[];
  readonly files: StageFiles;
}

/** How the image is called where it went. */
export interface OutputResult {
  readonly names: readonly string[];
  /** Of what it is described by there: an archive's manifest; an image in the store is its configuration. */
  readonly digest: Digest;
  readonly descriptor?: { readonly mediaType: string; readonly digest: Digest; readonly size: number };
}

/** Throws what is wrong with the names before anything is built. */
export const checkOutputs = (outputs: readonly BuildOutput[]): void => {
  for (const output of outputs) if (output.kind !== "files") parseNames(output.names);
};

const parseNames = (names: readonly string[]): readonly ImageName[] => names.map((name) => nameToGive(parseName(name)));

/** Holds afterwards: what was built is where the output says. */
export const writeOutput = async (shop: Shop, built: BuiltImage, output: BuildOutput): Promise<OutputResult> => {
  shop.signal.throwIfAborted();
  if (output.kind === "files") {
    await output.deliver(await built.files.tree());
    return { names: [], digest: built.id };
  }
  const names = parseNames(output.names);
  const told = names.map(familiarName);
  if (output.kind === "image") {
    await shop.rooms.images.create([{ config: built.config, layers: [], names }], "create");
    if (output.push) for (const name of names) await push(shop, name);
    return { names: told, digest: built.id };
  }
  const described = await describe(shop, built, names, output.compression);
  const documents = output.layout === "oci" ? encodeOciLayout([described]) : encodeLayout([described]);
  await output.deliver(writeLayout(shop.rooms.images.layers, [described], documents));
  const { digest, mediaType, bytes } = described.manifest;
  return { names: told, digest, descriptor: { mediaType, digest, size: bytes.length } };
};

const push = async ({ rooms, request, signal }: Shop, name: ImageName): Promise<void> => {
  const credentials = await request.credentials(name.domain);
  await rooms.push(familiarName(name), { credentials, signal });
};

const describe = async (
  shop: Shop,
  { id, config, diffIds }: BuiltImage,
  names: readonly ImageName[],
  compression: "gzip" | "uncompressed",
): Promise<LayoutImage> => {
  const layers: LayoutLayer[] = [];
  for (const diffId of diffIds) {
    if (compression === "uncompressed") {
      layers.push({ digest: diffId, size: shop.rooms.images.layers.get(diffId)!.tarSize });
      continue;
    }
    const { digest, size } = await shop.rooms.compressed.get(diffId, shop.signal);
    layers.push({ digest, size, isCompressed: true });
  }
  return describeNew({ digest: id, bytes: config }, layers, names);
};

/** A tree as the entries of one archive: every name once, no layer above another. */
export function* flatten(tree: Tree): Generator<TarOutput> {
  const linked = new Map<string, string>();
  for (const entry of tree.walk()) {
    const path = entry.path.slice(1);
    const first = linked.get(entry.identity);
    if (entry.nlink > 1 && entry.type !== "directory") linked.set(entry.identity, first ?? path);
    if (first !== undefined) {
      yield { header: { ...headerOf(entry, path), type: "hardlink", size: 0, link: Buffer.from(first, "latin1") } };
    } else {
      const header = headerOf(entry, path);
      yield header.size === 0 ? { header } : { header, content: tree.contents(entry) };
    }
  }
}

const headerOf = (entry: TreePath, path: string): TarHeader => {
  const { type, mode, uid, gid, major, minor, mtime, xattrs, target } = entry;
  return {
    path: Buffer.from(type === "directory" ? `${path}/` : path, "latin1"),
    // A merged tree has no whiteouts.
    type: type as TarHeader["type"],
    size: type === "file" ? entry.size : 0,
    link: target,
    ...{ mode, uid, gid, major, minor, mtime, xattrs },
  };
};
