/** What a container has to do with volumes: which it needs, what they begin with, who else uses them. */
import { randomBytes } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import type { ImageRecord } from "../image/record.ts";
import { Tree } from "../image/tree.ts";
import { runErrand } from "../kernel/errand.ts";
import { noSlot, type Plan } from "../kernel/steps.ts";
import { anonymousLabel, isAnonymous, type VolumePlace } from "../volume/record.ts";
import type { VolumeUsers } from "../volume/volumes.ts";
import { containerError } from "./errors.ts";
import { writeTreeList } from "./layer-extraction.ts";
import { volumeMounts } from "./mounts.ts";
import type { ContainerRecord } from "./record.ts";
import type { CreateRequest, MountRequest, VolumeMountRequest } from "./request.ts";
import type { ContainerRooms } from "./rooms.ts";

/** The request with what other containers have mounted; what it asks for itself stands in front of that, also a volume of its configuration behind it. */
export const withVolumesFrom = (
  request: CreateRequest,
  find: (reference: string) => Pick<ContainerRecord, "request">,
): CreateRequest => {
  const own = request.mounts.filter(({ form }) => form !== "volumes");
  const taken = new Set(own.map(({ target }) => target));
  const from = new Map<string, MountRequest>();
  for (const { container, readonly } of request.volumesFrom) {
    for (const mount of find(container).request.mounts) {
      if (mount.kind === "tmpfs" || taken.has(mount.target)) continue;
      const shared = { ...mount, form: "from", readonly: mount.readonly || readonly, mode: "" } as const;
      from.set(mount.target, shared.kind === "volume" ? { ...shared, copy: false, isAnonymous: false } : shared);
    }
  }
  const declared = request.mounts.filter(({ form, target }) => form === "volumes" && !from.has(target));
  return { ...request, mounts: [...own, ...from.values(), ...declared] };
};

/** The request with a name for each volume that has none. */
export const withVolumeNames = (request: CreateRequest): CreateRequest => ({
  ...request,
  mounts: request.mounts.map((mount) =>
    mount.kind === "volume" && mount.name === "" ? { ...mount, name: randomBytes(32).toString("hex") } : mount,
  ),
});

/** The containers that have a volume, whether they run or not. */
export const volumeUsers =
  (records: () => readonly ContainerRecord[]): VolumeUsers =>
  (name) =>
    records()
      .filter(({ request }) => volumeMounts(request).some((mount) => mount.name === name))
      .map(({ id }) => id);

type VolumeRooms = Pick<ContainerRooms, "volumes" | "images" | "holder" | "run">;

/** Volumes that nobody else can remove; those that were made for it go with its disposal, unless they are kept. */
export interface CreatedVolumes extends AsyncDisposable {
  keep(): void;
}

/** Holds afterwards: every volume of the container is there, and has in it what the image has at its target; or none was made. */
export const createVolumes = async (
  rooms: VolumeRooms,
  { request }: ContainerRecord,
  image: ImageRecord,
  usedBy: VolumeUsers,
): Promise<CreatedVolumes> => {
  const mounts = volumeMounts(request);
  const held = rooms.volumes.hold(mounts.map(({ name }) => name));
  const made: string[] = [];
  const release = async (): Promise<void> => {
    held[Symbol.dispose]();
    for (const name of made) await rooms.volumes.remove(name, usedBy).catch(() => {});
  };
  try {
    const tree = openTree(rooms, image);
    for (const mount of mounts) {
      const labels = mount.isAnonymous ? { ...mount.labels, [anonymousLabel]: "" } : mount.labels;
      const { name, driver, options } = mount;
      if ((await rooms.volumes.create({ name, driver, options, labels })).isNew) made.push(name);
      if (mount.copy) await fillVolume(rooms, mount, tree());
    }
  } catch (error) {
    await release();
    throw error;
  }
  return {
    keep: () => {
      made.length = 0;
    },
    [Symbol.asyncDispose]: release,
  };
};

/** Read once, and only when a volume wants to know. */
const openTree = ({ images }: VolumeRooms, image: ImageRecord): (() => Tree) => {
  let tree: Tree | undefined;
  return () => {
    tree ??= Tree.open(images.layers.stack(image.layers));
    return tree;
  };
};

/** Nothing of the host is read: what the image has there, its links and all, is data (CVE-2022-23648). */
const fillVolume = async (
  rooms: VolumeRooms,
  { name, target, isAnonymous: own, form }: VolumeMountRequest,
  tree: Tree,
) => {
  const found = tree.directory(target);
  if (found === undefined) return;
  const { entry, isEmpty } = found;
  if (entry.type !== "directory") {
    if (own && form === "volumes") throw containerError("volumeOverFile", { path: target });
    return;
  }
  const isPlain = isEmpty && entry.xattrs.size === 0;
  const write = isPlain ? undefined : (directory: string) => writeFirst(rooms, tree, target, directory);
  await rooms.volumes.fill(name, entry, write);
};

/** Holds afterwards: the answered directory, within this one, has what the image has at the path; all of it is on disk. */
const writeFirst = async ({ holder, run }: VolumeRooms, tree: Tree, path: string, directory: string) => {
  const [list, links, files] = [join(directory, "list"), join(directory, "links"), join(directory, "files")];
  await mkdir(links, { mode: 0o700 });
  await mkdir(files, { mode: 0o700 });
  await using file = await open(list, "wx", 0o600);
  await writeTreeList(file, tree.list(path));
  const plan: Plan = {
    outside: [{ step: "clone", namespaces: 0, cgroup: noSlot }],
    inside: [
      { step: "dieWithParent" },
      { step: "writeTree", path: files, links, list, sources: tree.sources },
      { step: "syncFileSystem", path: files },
    ],
    after: [],
  };
  await holder.wake();
  await runErrand(holder, run, plan);
  return files;
};

/** Holds afterwards: the volumes that nobody named, and that no other container has, are gone with their container. */
export const removeAnonymous = async (
  { volumes }: Pick<ContainerRooms, "volumes">,
  { request }: ContainerRecord,
  usedBy: VolumeUsers,
): Promise<void> => {
  for (const { name } of volumeMounts(request).filter(({ isAnonymous: own }) => own)) {
    const record = volumes.find(name);
    if (record === undefined || !isAnonymous(record) || usedBy(name).length > 0) continue;
    // What is in use by now stays, as in Docker.
    await volumes.remove(name, usedBy).catch(() => {});
  }
};

/** Holds afterwards: the volumes' sources are there; where they are and how they are bound, by name. */
export const prepareVolumes = async (
  { volumes }: Pick<ContainerRooms, "volumes">,
  { id, request }: ContainerRecord,
): Promise<ReadonlyMap<string, VolumePlace>> =>
  new Map(await Promise.all(namesOf(request).map(async (name) => [name, await volumes.prepare(name, id)] as const)));

/** Where the volumes of a container lie while somebody looks at it, whether it runs or not. */
export const visitVolumes = async (
  { volumes }: Pick<ContainerRooms, "volumes">,
  { request }: ContainerRecord,
): Promise<AsyncDisposable & { readonly places: ReadonlyMap<string, VolumePlace> }> => {
  const visitor = randomBytes(8).toString("hex");
  const names = namesOf(request);
  const release = async (): Promise<void> => {
    for (const name of names) await volumes.release(name, visitor).catch(() => {});
  };
  try {
    const found = names.map(async (name) => [name, await volumes.prepare(name, visitor)] as const);
    return { places: new Map(await Promise.all(found)), [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    throw error;
  }
};

/** A container that runs, whoever started it, has its volumes. */
export const adoptVolumes = ({ volumes }: Pick<ContainerRooms, "volumes">, { id, request }: ContainerRecord): void => {
  for (const name of namesOf(request)) volumes.use(name, id);
};

/** Holds afterwards: what was mounted for its volumes alone is not mounted any more. */
export const releaseVolumes = async (
  { volumes }: Pick<ContainerRooms, "volumes">,
  { id, request }: ContainerRecord,
): Promise<void> => {
  // What the kernel does not let go of is tried again when somebody removes the volume.
  for (const name of namesOf(request)) await volumes.release(name, id).catch(() => {});
};

const namesOf = (request: CreateRequest): readonly string[] =>
  [...new Set(volumeMounts(request).map(({ name }) => name))].filter((name) => name !== "");
