/** How images leave the store: their names, then they themselves, then the layers that no other has. */
import type { ImageDeleteItem } from "../api/answers/images.ts";
import type { ImageId } from "../base/ids.ts";
import type { CreationRooms } from "./creation.ts";
import { chainIds } from "./history.ts";
import { isIdentifier, nameOf } from "./lookup.ts";
import type { ImageUser } from "./record.ts";
import { familiarName } from "./reference.ts";
import { planRemoval } from "./removal.ts";
import type { StoredImage } from "./stored-image.ts";

export interface RemoveOptions {
  readonly force: boolean;
  /** The containers that were made from an image. */
  readonly usedBy: (id: ImageId) => readonly ImageUser[];
}

type DepartureRooms = Pick<CreationRooms, "store" | "collect" | "tell">;

/** Removes the name by which the image was found, or with its id all names. Throws Docker's conflicts. */
export const removeImage = (
  { store, collect, tell }: DepartureRooms,
  image: StoredImage,
  reference: string,
  options: RemoveOptions,
): readonly ImageDeleteItem[] => {
  const { id } = image;
  const users = options.usedBy(id);
  const names = store.namesOf(id);
  const asked = isIdentifier(reference, id) ? {} : { name: nameOf(reference) };
  const removal = planRemoval({ reference, ...asked, id, names, users, force: options.force });
  const indexes = removal.untag.flatMap((name) => store.indexes.get(name) ?? []);
  store.transaction(() => {
    for (const name of removal.untag) store.unname(name);
    if (!removal.isComplete) return;
    if (users.length > 0) store.hide(id);
    else store.remove(id);
  });
  for (const { digest } of indexes) store.discardBlob(digest);
  for (const name of removal.untag) tell({ action: "untag", id, name: familiarName(name) });
  const untagged = removal.untag.map((name) => ({ Untagged: familiarName(name) }));
  if (!removal.isComplete) return untagged;
  if (users.length === 0) discard(store, image);
  collect();
  tell({ action: "delete", id, name: id });
  const kept = new Set([...store.all()].flatMap(({ description }) => chainIds(description.layers)));
  const gone = chainIds(image.description.layers)
    .filter((chain) => !kept.has(chain))
    .reverse();
  return [...untagged, { Deleted: id }, ...gone.map((chain) => ({ Deleted: chain }))];
};

/** Holds afterwards: images that were removed are gone for good, unless a container still lives on them. */
export const removeUnused = (
  { store, collect }: DepartureRooms,
  usedBy: (id: ImageId) => readonly ImageUser[],
): void => {
  const unused = [...store.all()].filter(({ id, isRemoved }) => isRemoved && usedBy(id).length === 0);
  if (unused.length === 0) return;
  store.transaction(() => {
    for (const { id } of unused) store.remove(id);
  });
  for (const image of unused) discard(store, image);
  collect();
};

const discard = (store: DepartureRooms["store"], { id, manifest }: StoredImage): void => {
  store.discardBlob(id);
  if (manifest !== undefined) store.discardBlob(manifest.digest);
};
