/** Where a copy comes from and where it goes: cp's rules for what is called how, as Docker has them. Pure. */
import { posix } from "node:path";
import { cliError } from "../errors.ts";

/** What is known of one end of a copy. */
export interface Place {
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

/** `CONTAINER:PATH`; undefined for a path of this machine. */
export const parseRemote = (word: string): { readonly container: string; readonly path: string } | undefined => {
  const colon = word.indexOf(":");
  if (word.startsWith("/") || word.startsWith(".") || colon < 0) return undefined;
  return { container: word.slice(0, colon), path: word.slice(colon + 1) };
};

const asksForContents = (path: string): boolean => /(^|\/)\.$/.test(path);
const asksForDirectory = (path: string): boolean => /\/\.?$/.test(path) || path === ".";

/** The directory and the name; of a path that ends in a dot, the directory itself and the dot. */
export const splitPath = (path: string): { readonly directory: string; readonly name: string } => {
  const clean = posix.normalize(path === "" ? "." : path).replace(/(?<=.)\/+$/, "");
  if (asksForContents(path)) return { directory: clean, name: "." };
  return { directory: posix.dirname(clean), name: posix.basename(clean) || "/" };
};

export interface CopyPlan {
  /** The directory in which the archive is unpacked. */
  readonly directory: string;
  /** The first name of each entry becomes another. */
  readonly rename?: { readonly from: string; readonly to: string };
}

/** How an archive of `from`, whose names begin with its last one, becomes `to`. Throws what cannot be. */
export const planCopy = (from: Place & { readonly name?: string }, to: Place): CopyPlan => {
  if (to.exists && to.isDirectory) return { directory: to.path };
  if (to.exists && from.isDirectory) throw cliError("copyDirectory", {});
  if (!from.isDirectory && !to.exists && asksForDirectory(to.path)) throw cliError("noSuchDirectory", {});
  const { directory, name } = splitPath(to.path);
  return { directory, rename: { from: from.name ?? splitPath(from.path).name, to: name } };
};

/** One name by that plan. */
export const renamed = (path: string, rename: CopyPlan["rename"]): string => {
  if (rename === undefined) return path;
  const from = rename.from === "/" ? "" : rename.from;
  return path === from || path.startsWith(`${from}/`) ? rename.to + path.slice(from.length) : path;
};
