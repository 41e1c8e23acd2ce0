import { fromLatin1, latin1 } from "../tar/numbers.ts";
import { alignUp } from "./format.ts";

export type Xattrs = ReadonlyMap<string, Uint8Array>;

/** How EROFS abbreviates the front of a name; the longest that fits is taken. */
const prefixes: readonly (readonly [index: number, prefix: string])[] = [
  [2, "system.posix_acl_access"],
  [3, "system.posix_acl_default"],
  [1, "user."],
  [4, "trusted."],
  [6, "security."],
];

const IBODY_HEADER = 12;
const ENTRY_HEADER = 4;
/** The on-disk count is 16 bits of four bytes each; refused above, never cut. */
export const XATTRS_MAXIMUM = IBODY_HEADER + 4 * 0xfffe;
const NAME_MAXIMUM = 255;
const VALUE_MAXIMUM = 0xffff;

const splitName = (name: string): readonly [index: number, rest: string] | undefined => {
  const found = prefixes.find(([, prefix]) => name.startsWith(prefix));
  if (found === undefined) return undefined;
  const [index, prefix] = found;
  const rest = name.slice(prefix.length);
  // An ACL's name is whole; all others go on behind the dot.
  return prefix.endsWith(".") === (rest !== "") ? [index, rest] : undefined;
};

const VERSION_OFFSET = 3;

/** The two forms of struct vfs_cap_data that the kernel takes: revision 2 of 20 bytes, revision 3 of 24. */
const isCapability = (value: Uint8Array): boolean =>
  (value.length === 20 && value[VERSION_OFFSET] === 2) || (value.length === 24 && value[VERSION_OFFSET] === 3);

const aclTags = { userObject: 1, user: 2, groupObject: 4, group: 8, mask: 16, other: 32 } as const;
const ACL_HEADER = 4;
const ACL_ENTRY = 8;

/** What the kernel's posix_acl_valid asks for, so that no file is left which nobody can open. */
const isAcl = (value: Uint8Array): boolean => {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length < ACL_HEADER || (value.length - ACL_HEADER) % ACL_ENTRY !== 0) return false;
  if (view.getUint32(0, true) !== 2) return false;
  const tags: number[] = [];
  for (let at = ACL_HEADER; at < value.length; at += ACL_ENTRY) {
    if (view.getUint16(at + 2, true) > 7) return false;
    tags.push(view.getUint16(at, true));
  }
  const count = (tag: number): number => tags.filter((other) => other === tag).length;
  const known = Object.values<number>(aclTags);
  const isSorted = tags.every((tag, index) => known.includes(tag) && (index === 0 || tags[index - 1]! <= tag));
  const needsMask = count(aclTags.user) + count(aclTags.group) > 0;
  const once = [aclTags.userObject, aclTags.groupObject, aclTags.other].every((tag) => count(tag) === 1);
  return (
    tags.length === 0 || (isSorted && once && count(aclTags.mask) <= 1 && (!needsMask || count(aclTags.mask) === 1))
  );
};

/** Why this attribute cannot be set on an inode of this type, or undefined when it can. */
export const xattrProblem = (name: string, value: Uint8Array, isDirectory: boolean): string | undefined => {
  if (name.length > NAME_MAXIMUM || name.includes("\0")) return "its name is too long or has a NUL";
  if (splitName(name) === undefined) return "operation not supported";
  if (value.length > VALUE_MAXIMUM) return `argument list too long (${value.length} bytes)`;
  if (name === "security.capability" && !isCapability(value)) return "invalid argument";
  if (name.startsWith("system.posix_acl_") && !isAcl(value)) return "invalid argument";
  if (name === "system.posix_acl_default" && !isDirectory) return "only directories have one";
  return undefined;
};

const OVERLAY = "trusted.overlay.";

/** How overlayfs marks a directory that hides what lower layers have at its place. */
export const OPAQUE_NAME = `${OVERLAY}opaque`;
export const OPAQUE_VALUE = fromLatin1("y");

/**
 * Whether an attribute of a tar is left out. Those of overlayfs itself would be orders to the mount (redirects to any
 * place, opaque marks); user ones do not exist on what is neither file nor directory, and the kernel refuses them there.
 */
export const isDropped = (name: string, hasUserXattrs: boolean): boolean =>
  name.startsWith(OVERLAY) || (!hasUserXattrs && name.startsWith("user."));

const entrySize = (rest: string, value: Uint8Array): number => alignUp(ENTRY_HEADER + rest.length + value.length, 4);

/** Bytes that these attributes take behind an inode. */
export const xattrsSize = (xattrs: Xattrs): number => {
  let size = 0;
  for (const [name, value] of xattrs) size += entrySize(splitName(name)![1], value);
  return size === 0 ? 0 : IBODY_HEADER + size;
};

/** The on-disk count for that many bytes: a header counts as one, every four bytes as another. */
export const xattrCount = (size: number): number => (size === 0 ? 0 : (size - IBODY_HEADER) / 4 + 1);
export const xattrsSizeOf = (count: number): number => (count === 0 ? 0 : IBODY_HEADER + 4 * (count - 1));

/** The attributes as they lie on disk, sorted by name. */
export const encodeXattrs = (xattrs: Xattrs): Uint8Array => {
  const bytes = Buffer.alloc(xattrsSize(xattrs));
  let position = IBODY_HEADER;
  for (const name of [...xattrs.keys()].sort()) {
    const value = xattrs.get(name)!;
    const [index, rest] = splitName(name)!;
    bytes.writeUInt8(rest.length, position);
    bytes.writeUInt8(index, position + 1);
    bytes.writeUInt16LE(value.length, position + 2);
    bytes.write(rest, position + ENTRY_HEADER, "latin1");
    bytes.set(value, position + ENTRY_HEADER + rest.length);
    position += entrySize(rest, value);
  }
  return bytes;
};

/** The attributes in the bytes behind an inode, or undefined when they are damaged. */
export const parseXattrs = (bytes: Uint8Array): Map<string, Uint8Array> | undefined => {
  const xattrs = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = IBODY_HEADER;
  while (at < bytes.length) {
    if (at + ENTRY_HEADER > bytes.length) return undefined;
    const nameLength = view.getUint8(at);
    const prefix = prefixes.find(([index]) => index === view.getUint8(at + 1))?.[1];
    const valueLength = view.getUint16(at + 2, true);
    const value = at + ENTRY_HEADER + nameLength;
    if (prefix === undefined || value + valueLength > bytes.length) return undefined;
    xattrs.set(
      prefix + latin1(bytes.subarray(at + ENTRY_HEADER, value)),
      new Uint8Array(bytes.subarray(value, value + valueLength)),
    );
    at = alignUp(value + valueLength, 4);
  }
  return xattrs;
};
