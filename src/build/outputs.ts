/** What becomes of what was built: an image in the store, an archive of it, or its files alone. */
import type { DiffId, Digest, ImageId } from "../base/ids.ts";
import type { TarHeader, TarOutput } from "../format/tar/write.ts";
import type { NewImage } from "../image/creation.ts";
import {
  encodeIndex,
  encodeLayout,
  encodeOciLayout,
  type LayoutFile,
  type LayoutImage,
  type LayoutLayer,
} from "../image/layout.ts";
import { blobPath } from "../image/members.ts";
import { familiarName, type ImageName, nameToGive, parseName } from "../image/reference.ts";
import { describeNew, writeLayout } from "../image/save.ts";
import type { Tree, TreePath } from "../image/tree.ts";
import { buildError } from "./errors.ts";
import type { StageFiles } from "./files.ts";
import { type BuildPlatform, platformText } from "./platform.ts";
import type { BuildRequest } from "./request.ts";
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
      /** Each platform's in a directory of its own; undefined: where there are several. */
      readonly isSplit: boolean | undefined;
      readonly deliver: (trees: readonly DeliveredTree[]) => Promise<void>;
    };

export interface DeliveredTree {
  /** `linux_arm64`; "": they lie at the top. */
  readonly directory: string;
  readonly tree: Tree;
}

export interface BuiltImage {
  readonly platform: BuildPlatform;
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

/** Throws what is wrong with the names, and what there is of one platform alone, before anything is built. */
export const checkOutputs = ({ outputs, platforms }: Pick<BuildRequest, "outputs" | "platforms">): void => {
  for (const output of outputs) {
    if (output.kind !== "files") parseNames(output.names);
    if (platforms.length < 2) continue;
    if (output.kind === "archive" && output.layout === "docker") throw buildError("manifestList", {});
    if (output.kind === "files" && output.isSplit === false) throw buildError("mixedPlatforms", {});
  }
};

const parseNames = (names: readonly string[]): readonly ImageName[] => names.map((name) => nameToGive(parseName(name)));

/** What the images are known by: their index, or where there is one alone its configuration. */
export const identify = (
  shop: Shop,
  built: readonly BuiltImage[],
): { readonly id: Digest; readonly config?: ImageId } => {
  const [first, second] = built;
  if (second === undefined) return { id: first!.id, config: first!.id };
  return { id: indexOf(built.map((image) => describePlain(shop, image))).digest };
};

/** Holds afterwards: what was built is where the output says. */
export const writeOutput = async (
  shop: Shop,
  built: readonly BuiltImage[],
  output: BuildOutput,
): Promise<OutputResult> => {
  shop.signal.throwIfAborted();
  if (output.kind === "files") {
    const isSplit = output.isSplit ?? built.length > 1;
    const trees = built.map(async ({ platform, files }) => ({
      directory: isSplit ? platformText(platform).replaceAll("/", "_") : "",
      tree: await files.tree(),
    }));
    await output.deliver(await Promise.all(trees));
    return { names: [], digest: identify(shop, built).id };
  }
  const names = parseNames(output.names);
  if (output.kind === "archive") return await writeArchive(shop, built, output, names);
  await shop.rooms.images.create(imagesToKeep(shop, built, names), "create");
  const allPlatforms = built.length > 1;
  if (output.push) for (const name of names) await push(shop, name, allPlatforms);
  return { names: names.map(familiarName), digest: identify(shop, built).id };
};

/** The name is the first image's; those for other platforms are found by the index that it stands for as well. */
const imagesToKeep = (shop: Shop, built: readonly BuiltImage[], names: readonly ImageName[]): readonly NewImage[] => {
  if (built.length === 1) return [{ config: built[0]!.config, layers: [], names }];
  const described = built.map((image) => ({ ...describePlain(shop, image), platform: image.platform }));
  const index = indexOf(described);
  const byDigest = (digest: Digest) => names.map(({ domain, path }) => ({ domain, path, digest }));
  return described.map(({ config, manifest }, position) => ({
    config: config.bytes,
    layers: [],
    names: position === 0 ? [...names, ...byDigest(index.digest)] : byDigest(manifest.digest),
    manifest,
    index: position === 0 ? index : undefined,
  }));
};

const ociIndexType = "application/vnd.oci.image.index.v1+json";

interface DescribedImage extends LayoutImage {
  readonly platform: BuildPlatform;
}

const indexOf = (described: readonly DescribedImage[]) =>
  encodeIndex(
    described.map(({ manifest: { digest, mediaType, bytes }, platform: { os, architecture, variant = "" } }) => ({
      ...{ mediaType, digest, size: bytes.length, annotations: null, artifactType: "", urls: null },
      platform: { architecture, os, variant, "os.version": "" },
    })),
    ociIndexType,
  );

const writeArchive = async (
  shop: Shop,
  built: readonly BuiltImage[],
  { layout, compression, deliver }: BuildOutput & { readonly kind: "archive" },
  names: readonly ImageName[],
): Promise<OutputResult> => {
  const { layers } = shop.rooms.images;
  const described: DescribedImage[] = [];
  for (const image of built) described.push(await describe(shop, image, built.length > 1 ? [] : names, compression));
  const [first, second] = described;
  const document = second === undefined ? first!.manifest : indexOf(described);
  const index = { document, manifests: described.map(({ manifest }) => manifest.digest), names };
  const documents: readonly LayoutFile[] =
    layout === "docker"
      ? encodeLayout(described)
      : second === undefined
        ? encodeOciLayout(described)
        : [[blobPath(document.digest), document.bytes], ...encodeOciLayout(described, [index])];
  await deliver(writeLayout(layers, described, documents));
  const { digest, mediaType, bytes } = document;
  return { names: names.map(familiarName), digest, descriptor: { mediaType, digest, size: bytes.length } };
};

const push = async ({ rooms, request, signal }: Shop, name: ImageName, allPlatforms: boolean): Promise<void> => {
  const credentials = await request.credentials(name.domain);
  await rooms.push(familiarName(name), { allPlatforms, credentials, signal });
};

/** As it lies in the store: its layers as the tars that they are. */
const describePlain = (
  shop: Shop,
  { id, config, diffIds, platform }: BuiltImage,
  names: readonly ImageName[] = [],
): DescribedImage => {
  const { layers } = shop.rooms.images;
  const plain = diffIds.map((diffId) => ({ digest: diffId, size: layers.get(diffId)!.tarSize }));
  return { ...describeNew({ digest: id, bytes: config }, plain, names), platform };
};

const describe = async (
  shop: Shop,
  image: BuiltImage,
  names: readonly ImageName[],
  compression: "gzip" | "uncompressed",
): Promise<DescribedImage> => {
  if (compression === "uncompressed") return describePlain(shop, image, names);
  const { id, config, diffIds, platform } = image;
  const layers: LayoutLayer[] = [];
  for (const diffId of diffIds) {
    const { digest, size } = await shop.rooms.compressed.get(diffId, shop.signal);
    layers.push({ digest, size, isCompressed: true });
  }
  return { ...describeNew({ digest: id, bytes: config }, layers, names), platform };
};

/** Trees as the entries of one archive: every name once, no layer above another. */
export function* flatten(trees: readonly DeliveredTree[]): Generator<TarOutput> {
  for (const { directory, tree } of trees) {
    if (directory !== "") yield { header: directoryOf(directory) };
    yield* flattenOne(tree, directory === "" ? "" : `${directory}/`);
  }
}

const directoryOf = (name: string): TarHeader => ({
  path: Buffer.from(`${name}/`),
  ...{ type: "directory", mode: 0o755, uid: 0, gid: 0, major: 0, minor: 0, size: 0 },
  ...{ link: new Uint8Array(), mtime: { seconds: 0n, nanoseconds: 0 }, xattrs: new Map() },
});

/** Says to those who stack the layer that the name, which begins with a slash, is no more. */
export const whiteoutHeader = (path: string): TarHeader => {
  const at = path.lastIndexOf("/") + 1;
  return {
    ...directoryOf(""),
    ...{ path: Buffer.from(`${path.slice(1, at)}.wh.${path.slice(at)}`, "latin1"), type: "file", mode: 0o644 },
  };
};

const flattenOne = (tree: Tree, prefix: string): Generator<TarOutput> => flattenEntries(tree, tree.walk(), prefix);

/** These entries of a tree, of hard links the first as the file. */
export function* flattenEntries(tree: Tree, entries: Iterable<TreePath>, prefix = ""): Generator<TarOutput> {
  const linked = new Map<string, string>();
  for (const entry of entries) {
    const path = `${prefix}${entry.path.slice(1)}`;
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
