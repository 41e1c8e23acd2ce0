/** What a store says that there is, to be compared with what it had answered. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerId } from "../../src/base/ids.ts";
import type { ContainerRecord } from "../../src/container/record.ts";
import type { ContainerStore } from "../../src/container/store.ts";
import type { Images } from "../../src/image/images.ts";

export interface Seen {
  readonly images: readonly string[];
  readonly containers: readonly string[];
}

export const seen = (images: Images, containers: ContainerStore): Seen => ({
  images: images
    .list()
    .map(({ id, tags }) => [id, ...tags].join(" "))
    .sort(),
  containers: containers.list().map(({ id, name }) => `${id} ${name}`),
});

/** The same of files: those that have their final names, with what they hold. */
export const seenFiles = (root: string): readonly string[] => {
  const directory = join(root, "files");
  const names = existsSync(directory) ? readdirSync(directory).filter((name) => !name.startsWith(".")) : [];
  return names.sort().map((name) => {
    const digest = createHash("sha256")
      .update(readFileSync(join(directory, name)))
      .digest("hex");
    return `${name} ${digest}`;
  });
};

/** As much of a record as the store looks at. */
export const containerRecord = (digit: string, name = `c${digit}`): ContainerRecord => {
  const id = digit.repeat(64) as ContainerId;
  return {
    id,
    name,
    created: Number(digit),
    endpoints: [],
    request: { mounts: [], network: {} },
  } as object as ContainerRecord;
};
