/** For tests: what pulls and pushes need, on a root of its own, and images in a registry of the tests'. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { systemClock } from "../../src/base/clock.ts";
import { BlobHomes } from "../../src/image/blob-homes.ts";
import { CompressedLayers } from "../../src/image/compressed.ts";
import { LayerFetches } from "../../src/image/layer-fetch.ts";
import { Pulls } from "../../src/image/pull.ts";
import { Pushes } from "../../src/image/push.ts";
import { Registries } from "../../src/registry/registry.ts";
import type { RegistrySettings } from "../../src/registry/settings.ts";
import { configOf, openImages, type TestImages, tarOf } from "../image/rooms.ts";
import type { ChaosRegistry, Context } from "./chaos.ts";

/** Pauses and patience of a test. */
export const quick: Partial<RegistrySettings> = { pauseMs: 1, stallMs: 20_000, certificates: [] };

export interface TestPulls extends AsyncDisposable {
  readonly room: TestImages;
  readonly pulls: Pulls;
  readonly pushes: Pushes;
  readonly fetches: LayerFetches;
  readonly registries: Registries;
  /** As a new daemon finds what this one left. */
  reopen(): Promise<void>;
}

export const openPulls = async (settings: Partial<RegistrySettings> = {}, clock = systemClock): Promise<TestPulls> => {
  const room = await openImages(undefined, clock);
  const open = async () => {
    const registries = new Registries({ ...quick, ...settings });
    const homes = new BlobHomes(room.database);
    const compressed = await CompressedLayers.open(room.root, room.images.layers);
    const fetches = await LayerFetches.open(room.root, room.images.layers, registries, clock);
    return {
      registries,
      fetches,
      pulls: new Pulls(room.images, fetches, registries, { homes }),
      pushes: new Pushes(room.images, registries, { homes, compressed }),
    };
  };
  let opened = await open();
  return {
    room,
    get pulls() {
      return opened.pulls;
    },
    get pushes() {
      return opened.pushes;
    },
    get fetches() {
      return opened.fetches;
    },
    get registries() {
      return opened.registries;
    },
    async reopen() {
      await opened.fetches.settled();
      await room.reopen();
      opened = await open();
    },
    async [Symbol.asyncDispose]() {
      await opened.fetches.settled();
      await room[Symbol.asyncDispose]();
    },
  };
};

export type Packing = "plain" | "gzip" | "zstd";

const pack = {
  plain: (bytes: Uint8Array) => bytes,
  gzip: (bytes: Uint8Array) => gzipSync(bytes),
  zstd: zstdCompressSync,
};

const types = {
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: (packing: Packing) => `application/vnd.oci.image.layer.v1.tar${packing === "plain" ? "" : `+${packing}`}`,
  },
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: (packing: Packing) =>
      `application/vnd.docker.image.rootfs.diff.tar${packing === "plain" ? "" : `.${packing}`}`,
  },
} as const;

export interface PutImage {
  readonly kind?: "oci" | "docker";
  readonly packing?: readonly Packing[];
  readonly config?: Readonly<Record<string, unknown>>;
  /** Spoils the manifest. */
  readonly change?: (manifest: Record<string, unknown>) => void;
}

export interface PutResult {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  readonly config: string;
  /** Digests of the blobs, and of the tars. */
  readonly blobs: readonly string[];
  readonly tars: readonly Uint8Array[];
}

/** An image of these layers, in the registry. */
export const putImage = (
  registry: ChaosRegistry,
  repository: string,
  tag: string,
  tars: readonly Uint8Array[],
  { kind = "oci", packing = tars.map(() => "gzip"), config: more = {}, change = () => {} }: PutImage = {},
): PutResult => {
  const type = types[kind];
  const config = registry.put(configOf({ layers: tars, config: more }));
  const layers = tars.map((tar, index) => {
    const how = packing[index]!;
    return { mediaType: type.layer(how), ...registry.put(pack[how](tar)) };
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: type.manifest,
    config: { mediaType: type.config, ...config },
    layers,
  };
  change(manifest);
  const put = registry.putManifest(repository, tag, type.manifest, manifest);
  return { ...put, mediaType: type.manifest, config: config.digest, blobs: layers.map(({ digest }) => digest), tars };
};

/** An index of images that are there. */
export const putIndex = (
  registry: ChaosRegistry,
  repository: string,
  tag: string,
  images: readonly { readonly image: PutResult; readonly platform: object }[],
  kind: "oci" | "docker" = "oci",
): { digest: string; size: number } => {
  const manifests = images.map(({ image: { mediaType, digest, size }, platform }) => ({
    mediaType,
    digest,
    size,
    platform,
  }));
  const mediaType = types[kind].index;
  return registry.putManifest(repository, tag, mediaType, { schemaVersion: 2, mediaType, manifests });
};

/** Bytes that no compressor makes smaller. */
export const noise = (size: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
};

export const noisyTar = (size: number, seed = 1): Promise<Uint8Array> => tarOf({ noise: noise(size, seed) });

/**
 * Nobody whom it is about is answered before as many as may ask at once have asked, and none of them before whoever else
 * would ask has had the time; afterwards it says how many have asked at once.
 */
export const gather = (registry: ChaosRegistry, limit: number, isAbout: (asked: Context) => boolean) => {
  const waiting: (() => void)[] = [];
  let most = 0;
  registry.fault = (asked) => {
    if (!isAbout(asked)) return false;
    waiting.push(asked.serve);
    most = Math.max(most, waiting.length);
    if (waiting.length === limit) {
      setImmediate(() => {
        for (const answer of waiting.splice(0)) answer();
      });
    }
    return true;
  };
  return (): number => most;
};
