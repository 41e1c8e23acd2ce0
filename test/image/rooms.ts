/** For tests: a root of its own, and archives made of what a test wants to say. */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { Database } from "../../src/base/database.ts";
import { type TarHeader, writeTar } from "../../src/format/tar/write.ts";
import { Images } from "../../src/image/images.ts";

export interface TestImages extends AsyncDisposable {
  readonly root: string;
  readonly images: Images;
  readonly database: Database;
  /** As a new daemon finds what this one left. */
  reopen(): Promise<Images>;
}

export const openImages = async (place = tmpdir(), clock = systemClock): Promise<TestImages> => {
  const root = mkdtempSync(join(place, "pier-images-"));
  let database = new Database(join(root, "pier.db"));
  let images = await Images.open(root, database, clock);
  return {
    root,
    get images() {
      return images;
    },
    get database() {
      return database;
    },
    async reopen() {
      await images.settled();
      database[Symbol.dispose]();
      database = new Database(join(root, "pier.db"));
      images = await Images.open(root, database, clock);
      return images;
    },
    async [Symbol.asyncDispose]() {
      await images.settled();
      database[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
};

/** Whatever is stored beside the database. */
export const leftovers = ({ root }: TestImages): readonly string[] => [
  ...readdirSync(join(root, "layers")),
  ...readdirSync(join(root, "blobs", "sha256")),
];

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

export const digestOf = (content: string | Uint8Array): string =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`;

export const fileHeader = (path: string, size: number, more: Partial<TarHeader> = {}): TarHeader => ({
  path: bytesOf(path),
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0n, nanoseconds: 0 },
  size,
  link: new Uint8Array(),
  major: 0,
  minor: 0,
  xattrs: new Map(),
  ...more,
});

/** A tar of these files; a name that ends in a slash is a directory, `-> x` in the place of content a symbolic link. */
export const tarOf = async (files: Readonly<Record<string, string | Uint8Array>>): Promise<Uint8Array> => {
  const items = Object.entries(files).map(([path, content]) => {
    if (path.endsWith("/")) return { header: fileHeader(path, 0, { type: "directory", mode: 0o755 }), content: [] };
    if (typeof content === "string" && content.startsWith("-> ")) {
      return { header: fileHeader(path, 0, { type: "symlink", link: bytesOf(content.slice(3)) }), content: [] };
    }
    const bytes = bytesOf(content);
    return { header: fileHeader(path, bytes.length), content: [bytes] };
  });
  return Buffer.concat(await Array.fromAsync(writeTar(items)));
};

export interface MadeImage {
  readonly layers: readonly Uint8Array[];
  readonly tags?: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
}

export const configOf = ({ layers, config = {} }: MadeImage): string =>
  JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: {},
    ...config,
    rootfs: { type: "layers", diff_ids: layers.map(digestOf) },
  });

/** A docker-archive of these images, as `docker save` writes it. */
export const dockerArchive = async (images: readonly MadeImage[]): Promise<Uint8Array> => {
  const files: Record<string, string | Uint8Array> = {};
  const manifest = images.map((image) => {
    const config = configOf(image);
    files[`${digestOf(config).slice(7)}.json`] = config;
    for (const layer of image.layers) files[`${digestOf(layer).slice(7)}/layer.tar`] = layer;
    return {
      Config: `${digestOf(config).slice(7)}.json`,
      RepoTags: image.tags ?? null,
      Layers: image.layers.map((layer) => `${digestOf(layer).slice(7)}/layer.tar`),
    };
  });
  return tarOf({ ...files, "manifest.json": JSON.stringify(manifest) });
};

/** The bytes in pieces of this size. */
export async function* chunks(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
