/** What `rmi` takes away, and when it must not: Docker's rules (moby daemon/images/image_delete.go) as a pure function. */
import { hexOf, type ImageId } from "../base/ids.ts";
import { imageError } from "./errors.ts";
import type { ImageUser } from "./record.ts";
import { canonicalName, type ImageName, repositoryOf } from "./reference.ts";

export interface RemovalRequest {
  /** As it was asked for. */
  readonly reference: string;
  /** The name that was asked for; absent when an id was. */
  readonly name?: ImageName;
  readonly id: ImageId;
  /** All names of the image, with tags and with digests. */
  readonly names: readonly ImageName[];
  /** The containers that were made from it. */
  readonly users: readonly ImageUser[];
  readonly force: boolean;
}

export interface Removal {
  readonly untag: readonly ImageName[];
  /** The image goes as well: nothing else names it. */
  readonly isComplete: boolean;
}

export const shortId = (id: string): string => id.replace(/^sha256:/, "").slice(0, 12);

/** Throws Docker's conflict when the image may not be removed. */
export const planRemoval = (request: RemovalRequest): Removal => {
  const { name } = request;
  return name === undefined ? planRemovalById(request) : planRemovalByName(request, name);
};

const planRemovalByName = (request: RemovalRequest, name: ImageName): Removal => {
  const { force, names, users, id, reference } = request;
  const [user] = users;
  // Without its last name the image would dangle, and a container is made from it: that has to be meant.
  if (!force && user !== undefined && isSingle(names)) {
    throw imageError("conflictName", { name: reference, container: shortId(user.id), image: shortId(id) });
  }
  const untag = [name, ...digestsLeftAlone(name, names)];
  const gone = new Set(untag.map(canonicalName));
  const isNamed = names.some((one) => !gone.has(canonicalName(one)));
  // A conflict that is only about containers does not undo the untagging; the image stays for them.
  return { untag, isComplete: !isNamed && findConflict(request, { named: false }) === undefined };
};

/** With the last tag of a repository go its digests. */
const digestsLeftAlone = (name: ImageName, names: readonly ImageName[]): readonly ImageName[] => {
  if (name.digest !== undefined) return [];
  const repository = names.filter((one) => repositoryOf(one) === repositoryOf(name));
  const hasOtherTag = repository.some((one) => one.digest === undefined && one.tag !== name.tag);
  return hasOtherTag ? [] : repository.filter(({ digest }) => digest !== undefined);
};

const planRemovalById = (request: RemovalRequest): Removal => {
  const conflict = findConflict(request, { named: !isSingle(request.names) });
  if (conflict !== undefined) throw conflict;
  return { untag: request.names, isComplete: true };
};

const findConflict = (
  { id, names, users, force }: RemovalRequest,
  { named }: { readonly named: boolean },
): Error | undefined => {
  const image = shortId(hexOf(id));
  const running = users.find((user) => user.running);
  if (running !== undefined) {
    return imageError("conflictHard", {
      image,
      reason: `image is being used by running container ${shortId(running.id)}`,
    });
  }
  if (force) return undefined;
  if (named && names.length > 0) {
    return imageError("conflictForced", { image, reason: "image is referenced in multiple repositories" });
  }
  const [stopped] = users;
  if (stopped === undefined) return undefined;
  return imageError("conflictForced", {
    image,
    reason: `image is being used by stopped container ${shortId(stopped.id)}`,
  });
};

/** At most one tag, and all names in one repository; false for none. */
const isSingle = (names: readonly ImageName[]): boolean => {
  if (names.length <= 1) return names.length === 1;
  const tags = names.filter(({ digest }) => digest === undefined);
  return tags.length <= 1 && new Set(names.map(repositoryOf)).size === 1;
};
