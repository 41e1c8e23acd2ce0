/** `--build-context NAME=…`: what stands for images and stages of these names, fetched when a stage first needs it. */
import { formatPlatform, isFor } from "../api/platforms.ts";
import type { Digest, ImageId } from "../base/ids.ts";
import { parseConfig } from "../image/config.ts";
import { isAttestation, isIndexType, parseIndex, parseManifest } from "../image/manifest.ts";
import type { ImageRecord } from "../image/record.ts";
import { familiarName, parseName } from "../image/reference.ts";
import type { BlobRef } from "./cache-config.ts";
import type { BlobReader } from "./cache-request.ts";
import { storeArchive } from "./context.ts";
import type { CopySource } from "./copy.ts";
import { readDocument } from "./documents.ts";
import { downloadArchive } from "./downloads.ts";
import { buildError } from "./errors.ts";
import { hidePassword, parseGitAddress } from "./git/address.ts";
import { fetchRepository } from "./git/fetch.ts";
import type { BuildPlatform } from "./platform.ts";
import type { Reporter } from "./report.ts";
import { gitSecretIds } from "./secrets.ts";
import type { Shop } from "./shop.ts";

export type NamedContext =
  | { readonly kind: "image"; readonly name: string }
  /** A git repository, or a file on a web server. */
  | { readonly kind: "remote"; readonly address: string }
  | { readonly kind: "directory"; readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array> }
  /** An image of an OCI layout that is not ours to open. */
  | { readonly kind: "layout"; readonly manifest: Digest; readonly store: BlobReader };

/** By the names that `contextName` makes. */
export type NamedContextTable = ReadonlyMap<string, NamedContext>;

/** What a stage can be built on, whether the store has it as an image or not. */
export type BaseImage = Pick<
  ImageRecord,
  "id" | "config" | "layers" | "created" | "history" | "author" | "os" | "architecture" | "variant"
>;

/** A name as contexts are looked up by it: `docker.io/library/base:latest` is `base`. */
export const contextName = (name: string): string => {
  try {
    return familiarName(parseName(name)).replace(/:latest$/, "");
  } catch {
    return name.toLowerCase();
  }
};

const root = { uid: 0, gid: 0 };

export class NamedContexts {
  readonly #shop: Shop;
  readonly #reporter: Reporter;
  readonly #files = new Map<string, Promise<Omit<CopySource, "pattern">>>();
  readonly #images = new Map<string, Promise<BaseImage>>();

  constructor(shop: Shop, reporter: Reporter) {
    this.#shop = shop;
    this.#reporter = reporter;
  }

  /** The context that stands for this name, or undefined. */
  find(name: string): NamedContext | undefined {
    return this.#shop.request.contexts.get(contextName(name));
  }

  /** Whether a context of this name is files, and no image. */
  hasFiles(name: string): boolean {
    const kind = this.find(name)?.kind;
    return kind === "directory" || kind === "remote";
  }

  /** The files that the context of this name is; whoever needs them at the same time waits for the same. */
  files(name: string): Promise<Omit<CopySource, "pattern">> {
    const context = this.find(name);
    if (context?.kind !== "directory" && context?.kind !== "remote") throw buildError("noContextFiles", { name });
    const from = context.kind === "remote" ? hidePassword(context.address) : "from client";
    const promise = this.#files.get(contextName(name)) ?? this.#tell(name, from, () => this.#fetch(context));
    this.#files.set(contextName(name), promise);
    return promise;
  }

  /** The image that a layout's manifest is, its layers stored and held. */
  image(
    name: string,
    context: NamedContext & { readonly kind: "layout" },
    platform: BuildPlatform,
  ): Promise<BaseImage> {
    const key = JSON.stringify([contextName(name), platform]);
    const known = this.#images.get(key);
    const promise = known ?? this.#tell(name, context.manifest, () => this.#load(context, platform));
    this.#images.set(key, promise);
    return promise;
  }

  async #tell<T>(name: string, from: string, work: () => Promise<T>): Promise<T> {
    const text = `[context ${name}] load ${from}`;
    const running = this.#reporter.begin({ stage: "", name: text, text, isMetadata: false, isInternal: true }, false);
    try {
      const found = await work();
      running.end();
      return found;
    } catch (error) {
      running.end(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  async #fetch(
    context: NamedContext & { readonly kind: "directory" | "remote" },
  ): Promise<Omit<CopySource, "pattern">> {
    const { signal, request } = this.#shop;
    const directory = await this.#shop.directory();
    if (context.kind === "directory") {
      const { tree } = await storeArchive(context.open(signal), directory);
      return { tree, owner: root, keepsXattrs: false };
    }
    const git = parseGitAddress(context.address);
    const secrets = await request.secrets(gitSecretIds(context.address));
    // A file stays what it is: who wants it unpacked says so in the Dockerfile.
    const { tree } =
      git === undefined
        ? await downloadArchive(context.address, { directory, signal })
        : await fetchRepository(git, { ...git, directory, signal, secrets });
    return { tree, owner: root, keepsXattrs: false };
  }

  async #load(
    { manifest, store }: NamedContext & { readonly kind: "layout" },
    platform: BuildPlatform,
  ): Promise<BaseImage> {
    const { rooms, signal } = this.#shop;
    const bytes = await this.#manifest(store, manifest, platform);
    const { config, layers } = parseManifest(manifest, bytes);
    const document = await this.#document(store, config);
    const description = parseConfig(document);
    for (const [position, diffId] of description.layers.entries()) {
      const layer = layers[position];
      if (layer === undefined) throw buildError("noSuchBase", { name: manifest });
      this.#shop.hold(diffId);
      if (rooms.images.layers.get(diffId) !== undefined) continue;
      const { digest, size } = layer;
      await rooms.images.layers.add(store.read({ digest, size }, signal), { digest, size, diffId });
    }
    return { ...description, id: config.digest as ImageId };
  }

  /** The manifest's bytes; of an index, those of the image for the platform. */
  async #manifest(store: BlobReader, digest: Digest, platform: BuildPlatform): Promise<Uint8Array> {
    const bytes = await this.#document(store, { digest, size: 0 });
    const { mediaType = "", manifests } = JSON.parse(Buffer.from(bytes).toString("utf8")) as {
      readonly mediaType?: string;
      readonly manifests?: unknown;
    };
    if (!isIndexType(mediaType) && manifests === undefined) return bytes;
    const images = parseIndex(digest, bytes).filter((descriptor) => !isAttestation(descriptor));
    const found = images.find((one) => one.platform !== undefined && isFor(one.platform, platform));
    const asked = found ?? (images.length === 1 ? images[0] : undefined);
    if (asked === undefined) {
      const has = images
        .flatMap((one) => (one.platform === undefined ? [] : [formatPlatform(one.platform)]))
        .join(", ");
      throw buildError("otherPlatform", { name: digest, has, asked: formatPlatform(platform) });
    }
    return this.#document(store, asked);
  }

  #document(store: BlobReader, blob: BlobRef): Promise<Uint8Array> {
    const { digest } = blob;
    return readDocument(store, blob, this.#shop.signal, () => buildError("wrongBlob", { digest }));
  }
}
