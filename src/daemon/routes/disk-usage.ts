/** `GET /system/df`: what takes how much of the disk, and what of it is in use. */
import type { BuildCacheAnswer, ImageSummary, VolumeAnswer } from "../../api/answers.ts";
import type { DiffId } from "../../base/ids.ts";
import type { CacheEntry } from "../../build/builds.ts";
import { summaryAnswer } from "../answers/container.ts";
import { imageSummaryAnswer } from "../answers/image.ts";
import { volumeAnswer } from "../answers/volume.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import type { Services } from "../services.ts";
import { json } from "../wire.ts";

const kinds = ["container", "image", "volume", "build-cache"] as const;

export const diskUsage: Handler = async ({ services, query }) => {
  const asked = query.list("type");
  for (const type of asked) {
    if (!kinds.some((kind) => kind === type)) throw daemonError("unknownObjectType", { type: type.slice(0, 100) });
  }
  const wants = (kind: (typeof kinds)[number]): boolean => asked.length === 0 || asked.includes(kind);
  return json({
    ...(wants("image") ? await imageUsage(services) : {}),
    ...(wants("container") ? { Containers: await containerUsage(services) } : {}),
    ...(wants("volume") ? { Volumes: await volumeUsage(services) } : {}),
    ...(wants("build-cache") ? { BuildCache: (await services.builds.cache()).map(cacheAnswer) } : {}),
  });
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
  const users = new Map<DiffId, number>();
  for (const layer of all.flatMap(({ layers }) => [...new Set(layers)])) users.set(layer, (users.get(layer) ?? 0) + 1);
  const sizes = await images.diskUse(users.keys());
  const sum = (layers: Iterable<DiffId>): number => [...layers].reduce((size, id) => size + (sizes.get(id) ?? 0), 0);
  const records = containers.list();
  return {
    LayersSize: sum(users.keys()),
    Images: all.map(
      (image): ImageSummary => ({
        ...imageSummaryAnswer(image, records.filter((record) => record.image.id === image.id).length),
        Size: sum(new Set(image.layers)),
        SharedSize: sum(new Set(image.layers.filter((id) => (users.get(id) ?? 0) > 1))),
      }),
    ),
  };
};

const containerUsage = async (services: Services) => {
  const records = services.containers.list();
  const sizes = await services.containers.sizes(records);
  const now = Date.now();
  return records.map((record, index) => ({
    ...summaryAnswer(record, services, now),
    SizeRw: sizes[index]?.written ?? 0,
    SizeRootFs: sizes[index]?.whole ?? 0,
  }));
};

const volumeUsage = async ({ volumes, containers }: Services): Promise<readonly VolumeAnswer[]> => {
  const records = volumes.list();
  const sizes = await volumes.sizes(records.map(({ name }) => name));
  return records.map((record, index) => ({
    ...volumeAnswer(record, volumes.mountpoint(record.name)),
    UsageData: { Size: sizes[index] ?? -1, RefCount: containers.volumeUsers(record.name).length },
  }));
};
