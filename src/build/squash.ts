/** `--squash`: everything that a build added to its base as one layer. */
import type { TarOutput } from "../format/tar/write.ts";
import type { StackLayer } from "../image/layers.ts";
import { Tree, type TreePath } from "../image/tree.ts";
import { flattenEntries, whiteoutHeader } from "./outputs.ts";

/** What the upper layers make of the lower ones, as the entries of one layer. Both stacks: the topmost layer first. */
export function* squash(all: readonly StackLayer[], base: readonly StackLayer[]): Generator<TarOutput> {
  const [tree, below] = [Tree.open(all), Tree.open(base)];
  const old = new Set(base.map(({ number }) => String(number)));
  const isNew = ({ identity }: TreePath): boolean => !old.has(identity.split(":", 1)[0]!);
  const entries = [...tree.walk()];
  // A directory of the base stands above what is new in it, as it is.
  const wanted = new Set<string>();
  const want = (path: string): void => {
    for (let at = path; at !== "" && !wanted.has(at); at = at.slice(0, at.lastIndexOf("/"))) wanted.add(at);
  };
  for (const entry of entries) if (isNew(entry)) want(entry.path);
  const kinds = new Map(entries.map(({ path, type }) => [path, type]));
  const gone: string[] = [];
  for (const { path } of below.walk()) {
    const parent = path.slice(0, path.lastIndexOf("/"));
    // With a directory goes what was in it; what took its place hides it.
    if (kinds.has(path) || (parent !== "" && kinds.get(parent) !== "directory")) continue;
    want(parent);
    gone.push(path);
  }
  yield* flattenEntries(
    tree,
    entries.filter(({ path }) => wanted.has(path)),
  );
  for (const path of gone) yield { header: whiteoutHeader(path) };
}
