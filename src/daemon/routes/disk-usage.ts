/** `GET /system/df`: what takes how much of the disk, and what of it is in use. */
import type { BuildCacheAnswer } from "../../api/answers/builds.ts";
import type { ImageSummary } from "../../api/answers/images.ts";
import type { DiskAnswer } from "../../api/answers/system.ts";
import type { VolumeAnswer } from "../../api/answers/volumes.ts";
import { diskUsageFor } from "../../api/versions.ts";
import type { DiffId } from "../../base/ids.ts";
import type { CacheEntry } from "../../build/builds.ts";
import { namesAmong } from "../../container/links.ts";
import { summaryAnswer } from "../answers/container.ts";
import { imageSummaryAnswer, layerUsers, sharedLayers } from "../answers/image.ts";
import { volumeAnswer } from "../answers/volume.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import type { Services } from "../services.ts";
import { json } from "../wire.ts";

const kinds = ["container", "image", "volume", "build-cache"] as const;

export const diskUsage: Handler = async ({ services, query, version }) => {
  const asked = query.list("type");
  for (const type of asked) {
    if (!kinds.some((kind) => kind === type)) throw daemonError("unknownObjectType", { type: type.slice(0, 100) });
  }
  const wants = (kind: (typeof kinds)[number]): boolean => asked.length === 0 || asked.includes(kind);
  const usage = {
    ...(wants("image") ? await imageUsage(services) : {}),
    ...(wants("container") ? { Containers: await containerUsage(services) } : {}),
    ...(wants("volume") ? { Volumes: await volumeUsage(services) } : {}),
    ...(wants("build-cache") ? { BuildCache: (await services.builds.cache()).map(cacheAnswer) } : {}),
  };
  return json(diskUsageFor(version, usage));
};

/** All of it, and what is in none of these rows. */
export const disk: Handler = async ({ services }) => {
  const images = await imageUsage(services);
  const [containers, volumes] = [await containerUsage(services), await volumeUsage(services)];
  const cache = await services.builds.cache();
  const places = await services.diskPlaces();
  const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0);
  const mounts = sum(cache.filter(({ kind }) => kind === "exec.cachemount").map(({ size }) => size));
  const steps = sum(cache.filter(({ kind, isShared }) => kind === "regular" && !isShared).map(({ size }) => size));
  const rest = {
    "layers, extracted for being mounted": places.extracted,
    "manifests, configurations and layers of no image": places.layers + places.blobs - images.LayersSize - steps,
    "logs, records and directories of containers": places.containers - sum(containers.map(({ SizeRw }) => SizeRw)),
    "directories of volumes": places.volumes - sum(volumes.map(({ UsageData }) => Math.max(UsageData.Size, 0))),
    "builds that run": places.build - mounts,
    "the database": places.database,
  };
  return json({
    ...{ ...images, Containers: containers, Volumes: volumes, BuildCache: cache.map(cacheAnswer) },
    // Files with holes are longer than what the disk has given away for them.
    Rest: Object.entries(rest).map(([Description, size]) => ({ Description, Size: Math.max(size, 0) })),
  } satisfies DiskAnswer);
};

const cacheAnswer = (entry: CacheEntry): BuildCacheAnswer => ({
  ID: entry.id.slice(0, 25),
  Type: entry.kind,
  Description: entry.description,
  InUse: entry.inUse,
  Shared: entry.isShared,
  Size: entry.size,
  CreatedAt: new Date(entry.created).toISOString(),
  LastUsedAt: new Date(entry.lastUsed).toISOString(),
  UsageCount: entry.uses,
});

/**
 * What the disk has given away, which is not what is in the images: a layer has an index, and may be kept compressed as
 * well. One that several images have lies on the disk once.
 */
const imageUsage = async ({ images, containers }: Services) => {
  const all = images.list();
  const users = layerUsers(all);
  const sizes = await images.diskUse(users.keys());
  const sum = (layers: Iterable<DiffId>): number => [...layers].reduce((size, id) => size + (sizes.get(id) ?? 0), 0);
  const records = containers.list();
  return {
    LayersSize: sum(users.keys()),
    Images: all.map(
      (image): ImageSummary => ({
        ...imageSummaryAnswer(image, records.filter((record) => record.image.id === image.id).length),
        Size: sum(new Set(image.layers)),
        SharedSize: sum(sharedLayers(image, users)),
      }),
    ),
  };
};

const containerUsage = async (services: Services) => {
  const records = services.containers.list();
  const sizes = await services.containers.sizes(records);
  const now = Date.now();
  const names = namesAmong(records);
  return records.map((record, index) => ({
    ...summaryAnswer(record, names(record), services, now),
    SizeRw: sizes[index]?.written ?? 0,
    SizeRootFs: sizes[index]?.whole ?? 0,
  }));
};

const volumeUsage = async ({ volumes, containers }: Services) => {
  const records = volumes.list();
  const sizes = await volumes.sizes(records.map(({ name }) => name));
  return records.map((record, index): VolumeAnswer & Required<Pick<VolumeAnswer, "UsageData">> => ({
    ...volumeAnswer(record, volumes.mountpoint(record.name)),
    UsageData: { Size: sizes[index] ?? -1, RefCount: containers.volumeUsers(record.name).length },
  }));
};
