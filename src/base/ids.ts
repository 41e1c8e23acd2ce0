import { randomBytes } from "node:crypto";

declare const brand: unique symbol;
/** Brands add up: an `ImageId` is a `Digest` as well. */
export type Brand<T, Name extends string> = T & { readonly [brand]: { readonly [N in Name]: true } };

/** `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = Brand<string, "Digest">;
/** The digest of an uncompressed layer tar. */
export type DiffId = Brand<Digest, "DiffId">;
/** The digest of an image's configuration. */
export type ImageId = Brand<Digest, "ImageId">;
/** 64 lower-case hexadecimal digits, made by us. */
export type ContainerId = Brand<string, "ContainerId">;
export type ExecId = Brand<string, "ExecId">;

const digestPattern = /^sha256:[0-9a-f]{64}$/;

export const isDigest = (text: string): text is Digest => digestPattern.test(text);

/** The 64 hexadecimal digits of a digest, without its algorithm. */
export const hexOf = (digest: Digest): string => digest.slice("sha256:".length);

export const digestFromHex = (hex: string): Digest => `sha256:${hex}` as Digest;

const newId = (): string => {
  for (;;) {
    const id = randomBytes(32).toString("hex");
    // Docker's rule: the short form of an id must never read as a number (it would be taken for a host name's or a pid's).
    if (!/^\d+$/.test(id.slice(0, 12))) return id;
  }
};

export const newContainerId = (): ContainerId => newId() as ContainerId;
export const newExecId = (): ExecId => newId() as ExecId;
