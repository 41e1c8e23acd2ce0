/** What an archive's members are, and what their names say about them. */
import { createHash } from "node:crypto";
import type { PierError } from "../base/errors.ts";
import { type Digest, digestFromHex, hexOf } from "../base/ids.ts";
import { imageError } from "./errors.ts";
import type { LayerFacts } from "./layer-writer.ts";
import type { StagedLayer, StoredLayer } from "./layers.ts";

/** A layer of the archive: new where `staged` is there, stored long since where it is not. */
export interface ArchivedLayer extends LayerFacts {
  readonly staged?: StagedLayer;
}

/** A member of the archive, by what it looks like from its first bytes. */
export type Member =
  | { readonly kind: "document"; readonly bytes: Uint8Array }
  /** A layer that is new. */
  | { readonly kind: "layer"; readonly staged: StagedLayer }
  /** A blob whose layer is stored already, its digest verified. */
  | { readonly kind: "stored"; readonly layer: StoredLayer; readonly digest: Digest; readonly size: number }
  /** What went wrong matters only if an image needs it. */
  | { readonly kind: "broken"; readonly error: PierError }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "other"; readonly problem: string };

/** A name as the archive knows it: no name leads above its root. */
export const memberPath = (name: string): string => {
  const names: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") names.pop();
    else if (part !== "" && part !== ".") names.push(part);
  }
  return names.join("/");
};

/** The sentence about a member that is not what it is needed for. */
export const unusable = (member: string, found: Member | undefined): Error =>
  imageError("archiveMember", { member: member.slice(0, 200), problem: problemOf(found) }, errorOf(found));

const errorOf = (member: Member | undefined): unknown => (member?.kind === "broken" ? member.error : undefined);

const problemOf = (member: Member | undefined): string => {
  switch (member?.kind) {
    case undefined:
      return "is missing";
    case "other":
      return member.problem;
    case "broken":
      return `cannot be used: ${member.error.message}`;
    default:
      return "is a layer, not a document";
  }
};

/** Where a name says what the bytes are, they are that. */
export const checkName = (path: string, found: Digest): void => {
  const expected = digestInPath(path);
  if (expected !== undefined && expected !== found) {
    throw imageError("digestMismatch", { what: path, expected, found });
  }
};

/** The name of a blob in an archive. */
export const blobPath = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;

export const digestInPath = (path: string): Digest | undefined => {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  return hex === undefined ? undefined : digestFromHex(hex);
};

export const digestOfBytes = (bytes: Uint8Array): Digest =>
  digestFromHex(createHash("sha256").update(bytes).digest("hex"));
