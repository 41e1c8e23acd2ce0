/** An image as `inspect`, `images` and `history` show it. */
import type { ImageInspect, ImageSummary } from "../../api/answers/images.ts";
import type { ContainerConfig } from "../../api/types.ts";
import type { DiffId } from "../../base/ids.ts";
import type { ImageRecord } from "../../image/record.ts";
import { storageDriver } from "./container.ts";
import { never } from "./time.ts";

export const imageAnswer = (image: ImageRecord): ImageInspect => ({
  Id: image.id,
  RepoTags: image.tags,
  RepoDigests: image.digests,
  Parent: "",
  Comment: image.comment,
  ...(image.created === "" ? {} : { Created: image.created }),
  DockerVersion: image.dockerVersion,
  Author: image.author,
  Config: withoutUndefined(image.config),
  Architecture: image.architecture,
  ...(image.variant === "" ? {} : { Variant: image.variant }),
  Os: image.os,
  ...(image.osVersion === "" ? {} : { OsVersion: image.osVersion }),
  Size: image.size,
  GraphDriver: { Name: storageDriver, Data: null },
  RootFS: { Type: "layers", Layers: image.layers },
  Metadata: { LastTagTime: image.lastTagged || never },
});

/** What was never said is left out, not null. */
const withoutUndefined = (config: ImageRecord["config"]): ContainerConfig =>
  Object.fromEntries(Object.entries(config).filter(([name, value]) => value !== undefined && !isOmitted(name, value)));

/** Docker leaves these out when they are empty, and shows null for the others. */
const omittedWhenNull: ReadonlySet<string> = new Set(["ExposedPorts", "Shell"]);
const isOmitted = (name: string, value: unknown): boolean => value === null && omittedWhenNull.has(name);

export const imageSummaryAnswer = (image: ImageRecord, containers: number): ImageSummary => ({
  Id: image.id,
  ParentId: "",
  RepoTags: image.tags,
  RepoDigests: image.digests,
  Created: secondsOf(image.created),
  Size: image.size,
  SharedSize: -1,
  Labels: image.config.Labels ?? null,
  Containers: containers,
});

/** How many images have a layer. */
export const layerUsers = (images: readonly ImageRecord[]): ReadonlyMap<DiffId, number> => {
  const users = new Map<DiffId, number>();
  for (const layer of images.flatMap(({ layers }) => [...new Set(layers)])) {
    users.set(layer, (users.get(layer) ?? 0) + 1);
  }
  return users;
};

/** An image's layers that others have as well, each once. */
export const sharedLayers = ({ layers }: ImageRecord, users: ReadonlyMap<DiffId, number>): readonly DiffId[] =>
  [...new Set(layers)].filter((layer) => (users.get(layer) ?? 0) > 1);

/** Seconds since 1970 of a time in RFC 3339; 0 where an image does not say. */
const secondsOf = (time: string): number => {
  const milliseconds = Date.parse(time);
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000);
};
