/** How images leave the store: their names, then they themselves, then the layers that no other has. */
import type { ImageDeleteItem } from "../api/answers/images.ts";
import type { ImageId } from "../base/ids.ts";
import type { CreationRooms } from "./creation.ts";
import { chainIds } from "./history.ts";
import { isIdentifier, nameOf } from "./lookup.ts";
import type { ImageUser } from "./record.ts";
import { canonicalName, familiarName, type ImageName } from "./reference.ts";
import { planRemoval } from "./removal.ts";
import type { StoredImage } from "./stored-image.ts";

export interface RemoveOptions {
  readonly force: boolean;
  /** The containers that were made from an image. */
  readonly usedBy: (id: ImageId) => readonly ImageUser[];
  /** Names that stay when their image goes, and whose they are then. */
  readonly heirs?: readonly Heir[];
}

/** Another machine's image, to which a name goes over when the one it is shown as is taken away alone. */
export interface Heir {
  readonly name: ImageName;
  readonly id: ImageId;
}

type DepartureRooms = Pick<CreationRooms, "store" | "collect" | "tell" | "now">;

/** Removes the name by which the image was found, or with its id all names. Throws Docker's conflicts. */
export const removeImage = (
  { store, collect, tell, now }: DepartureRooms,
  image: StoredImage,
  reference: string,
  options: RemoveOptions,
): readonly ImageDeleteItem[] => {
  const { id } = image;
  const users = options.usedBy(id);
  const heirs = (options.heirs ?? []).filter((heir) => isHeir(store, heir, id));
  const inherited = new Set(heirs.map(({ name }) => canonicalName(name)));
  const names = store.namesOf(id).filter((name) => !inherited.has(canonicalName(name)));
  const asked = isIdentifier(reference, id) ? {} : { name: nameOf(reference) };
  const removal = planRemoval({ reference, ...asked, id, names, users, force: options.force });
  const indexes = removal.untag.flatMap((name) => store.indexes.get(name) ?? []);
  store.transaction(() => {
    for (const heir of heirs) store.name(heir.name, heir.id, now(), store.indexes.get(heir.name));
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

/** Somebody may have removed the one image, or renamed the other, since it was looked for. */
const isHeir = (store: DepartureRooms["store"], { name, id }: Heir, before: ImageId): boolean =>
  store.get(id)?.isRemoved === false && store.withName(name)?.id === before;

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
