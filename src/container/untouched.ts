/** What jobs before this one have left as it is, found without reading what they wrote. */
import { lstatSync } from "node:fs";
import { join, posix } from "node:path";
import type { Tree } from "../image/tree.ts";

/** Whether the file is still what the layers below have: no upper has anything under the first name of its path. */
export const isUntouched = (path: string, below: Pick<Tree, "locate">, uppers: readonly string[]): boolean => {
  if (uppers.length === 0) return true;
  const found = below.locate(path);
  // Through a link it may lie anywhere.
  if (found === undefined || posix.join(found.path, ...found.missing) !== path) return false;
  const [, top = ""] = path.split("/");
  // A name in the upper itself: there is no link on the way, and a last one is not followed.
  return uppers.every((upper) => lstatSync(join(upper, top), { throwIfNoEntry: false }) === undefined);
};
