/** Finding an image by what people write: Docker's order of name, id and beginning of an id. */
import { type ImageId, isDigest } from "../base/ids.ts";
import { imageError } from "./errors.ts";
import { familiarName, type ImageName, parseName, withDefaultTag } from "./reference.ts";
import type { ImageStore } from "./store.ts";
import type { StoredImage } from "./stored-image.ts";

/** The image that the reference means, if there is one; throws when it is malformed, or means several. */
export const findImage = (store: ImageStore, reference: string): StoredImage | undefined => {
  const whole = wholeId(reference);
  if (whole !== undefined) return visible(store.get(whole));
  const named = visible(store.withName(nameOf(reference)));
  const prefix = /^(?:sha256:)?([0-9a-f]{1,63})$/.exec(reference)?.[1];
  if (named !== undefined || prefix === undefined) return named;
  const found = [...store.all()].filter(({ id, isRemoved }) => !isRemoved && id.startsWith(`sha256:${prefix}`));
  if (found.length > 1) throw imageError("ambiguousId", { prefix });
  return found[0];
};

const visible = (image: StoredImage | undefined): StoredImage | undefined =>
  image?.isRemoved === false ? image : undefined;

/** A whole id, which a name can never be. */
const wholeId = (reference: string): ImageId | undefined => {
  const id = /^[0-9a-f]{64}$/.test(reference) ? `sha256:${reference}` : reference;
  return isDigest(id) ? (id as ImageId) : undefined;
};

/** True when the reference is that id or its beginning, and so no name. */
export const isIdentifier = (reference: string, id: ImageId): boolean =>
  /^(sha256:)?[0-9a-f]+$/.test(reference) && (id.startsWith(reference) || id.startsWith(`sha256:${reference}`));

/** The name that is looked up. What is named by its digest is that, whatever tag is written beside it. */
export const nameOf = (reference: string): ImageName => {
  const { tag, ...name } = withDefaultTag(parseName(reference));
  return tag === undefined || name.digest !== undefined ? name : { ...name, tag };
};

/** What is said to be missing: the reference in full. */
export const missingName = (reference: string): string =>
  wholeId(reference) ?? familiarName(withDefaultTag(parseName(reference)));
