/** The merged tree of a stored image, to compare with golden listings. */
import type { Images } from "../../src/image/images.ts";
import type { ImageRecord } from "../../src/image/record.ts";
import { Tree, type TreePath } from "../../src/image/tree.ts";
import { hashOf, type Listed, type Listing } from "../format/layers.ts";

const goldenTypes: Readonly<Record<string, string>> = { directory: "dir", character: "char" };

const listed = (tree: Tree, entry: TreePath): Listed => ({
  type: goldenTypes[entry.type] ?? entry.type,
  mode: entry.mode.toString(8).padStart(4, "0"),
  ...{ uid: entry.uid, gid: entry.gid, group: entry.identity },
  mtime: `${entry.mtime.seconds}.${entry.mtime.nanoseconds}`,
  ...(entry.type === "file" ? { size: entry.size, sha256: hashOf(tree.contentOf(entry)!) } : {}),
  ...(entry.type === "symlink" ? { target: Buffer.from(entry.target).toString("latin1") } : {}),
  ...(entry.type === "character" || entry.type === "block" ? { rdev: `${entry.major}:${entry.minor}` } : {}),
  xattrs: Object.fromEntries([...entry.xattrs].map(([name, value]) => [name, Buffer.from(value).toString("hex")])),
});

/** The tree as data, in the words of the golden listings. */
export const listImage = (images: Images, { layers }: ImageRecord): Listing => {
  const tree = Tree.open(images.layers.stack(layers));
  const root = tree.find("/");
  const all = [...(root === undefined ? [] : [{ ...root, path: "" }]), ...tree.walk()];
  return new Map(all.map((entry) => [entry.path, listed(tree, entry)]));
};
