/** What a second image has otherwise than a first: by their trees, without mounting either. */
import type { Tree, TreePath } from "./tree.ts";

export interface TreeChange {
  /** As `docker diff` says it. */
  readonly kind: "added" | "changed" | "deleted";
  /** One character per byte. */
  readonly path: string;
}

/** Files up to this size are compared byte by byte when nothing else tells them apart; larger ones count as changed. */
const comparedBytes = 64 * 1024 * 1024;

/** Sorted by path. */
export const compareTrees = (first: Tree, second: Tree): readonly TreeChange[] => {
  const before = new Map([...first.walk()].map((entry) => [entry.path, entry]));
  const changes: TreeChange[] = [];
  for (const entry of second.walk()) {
    const old = before.get(entry.path);
    before.delete(entry.path);
    if (old === undefined) changes.push({ kind: "added", path: entry.path });
    else if (!isSame(first, old, second, entry)) changes.push({ kind: "changed", path: entry.path });
  }
  for (const path of before.keys()) changes.push({ kind: "deleted", path });
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
};

const isSame = (first: Tree, a: TreePath, second: Tree, b: TreePath): boolean => {
  // One inode of one layer.
  if (a.identity === b.identity) return true;
  if (attributesOf(a) !== attributesOf(b)) return false;
  if (a.type !== "file" || a.size === 0) return true;
  if (a.size > comparedBytes) return false;
  const [old, now] = [first.contentOf(a), second.contentOf(b)];
  return old !== undefined && now !== undefined && Buffer.compare(old, now) === 0;
};

const attributesOf = ({ type, mode, uid, gid, size, mtime, target, major, minor, xattrs }: TreePath): string => {
  const attributes = [...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`).sort();
  const moment = `${mtime.seconds}.${mtime.nanoseconds}`;
  const link = Buffer.from(target ?? []).toString("hex");
  return [type, mode, uid, gid, type === "directory" ? 0 : size, moment, link, major, minor, ...attributes].join(" ");
};
