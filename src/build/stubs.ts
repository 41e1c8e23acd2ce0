/** What is in a job's files that is no one's work: empty places that were made to mount on, and marks that hide nothing. */
import type { TarOutput } from "../format/tar/write.ts";
import type { Tree } from "../image/tree.ts";

const usual = ["dev", "proc", "sys", "etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", ".dockerenv"];

const opaqueMark = "/.wh..wh..opq";

const pathOf = ({ header }: TarOutput): string => Buffer.from(header.path).toString("latin1").replace(/\/$/, "");

/** `/a/b` → `a`, `a/b`. */
const waysTo = (target: string): readonly string[] => {
  const names = target.split("/").filter((name) => name !== "");
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
};

/**
 * The entries without those places: an empty file or directory where something was mounted, that the files below did not
 * have. A directory above one stays if something else in it does. `below` is asked only when there is such a place.
 */
export async function* withoutStubs(
  entries: AsyncIterable<TarOutput>,
  targets: readonly string[],
  below: () => Promise<Tree>,
): AsyncGenerator<TarOutput> {
  const places = new Set([...usual, ...targets.flatMap(waysTo)]);
  let waiting: { readonly path: string; readonly output: TarOutput }[] = [];
  for await (const output of entries) {
    const path = pathOf(output);
    waiting = waiting.filter((directory) => path.startsWith(`${directory.path}/`));
    // overlayfs marks every directory that is made in one of several layers; a mark that hides nothing says nothing.
    if (path.endsWith(opaqueMark) && (await below()).entry(`/${path.slice(0, -opaqueMark.length)}`) === undefined)
      continue;
    const { type, size } = output.header;
    const isPlace = places.has(path) || path.startsWith("dev/");
    if (isPlace && type === "directory") {
      // That it was written to is no news: something was mounted in it.
      waiting.push({ path, output });
      continue;
    }
    const isEmpty = (type === "file" && size === 0) || path === "etc/mtab" || path.startsWith("dev/");
    if (isPlace && isEmpty && (await below()).entry(`/${path}`) === undefined) continue;
    for (const directory of waiting) yield directory.output;
    waiting = [];
    yield output;
  }
}
