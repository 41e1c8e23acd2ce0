/** A layer as a directory: its tree written by a keeper, from its index as a list and the contents of its tar. */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { listLayer } from "../image/layer-list.ts";
import { noSlot, type Plan, type Step } from "../kernel/steps.ts";
import { encodeTreeEntry, encodeTreeHeader, type TreeEntry } from "../kernel/tree-list.ts";
import type { LayerFiles } from "./layer-format.ts";

const partSize = 1024 * 1024;

/** Holds afterwards: the file, which was empty, is the list of the tree. */
export const writeTreeList = async (file: FileHandle, entries: Iterable<TreeEntry>): Promise<void> => {
  let size = 0;
  for (const part of partsOf(entries)) {
    await file.appendFile(part);
    size += part.length;
  }
  // Known only now: until it stands there, nobody takes the list for one.
  const header = encodeTreeHeader(size);
  await file.write(header, 0, header.length, 0);
};

/** The list in pieces that are worth a write, its header still without the size. */
function* partsOf(entries: Iterable<TreeEntry>): Generator<Uint8Array> {
  let parts = [encodeTreeHeader(0)];
  let held = 0;
  for (const entry of entries) {
    const bytes = encodeTreeEntry(entry);
    parts.push(bytes);
    held += bytes.length;
    if (held < partSize) continue;
    yield Buffer.concat(parts);
    [parts, held] = [[], 0];
  }
  yield Buffer.concat(parts);
}

/** Where in a directory of its own a layer is extracted to. */
export const extractedFiles = (directory: string): string => join(directory, "files");

/**
 * Holds afterwards: in the directory, which is empty, lies what the plan needs that extracts the layer into it; of a
 * plan that fails, or whose daemon dies, anything may be left in the directory, and nothing outside of it.
 */
export const prepareExtraction = async (
  { index, tar }: LayerFiles,
  directory: string,
  after: readonly Step[] = [],
): Promise<Plan> => {
  const [list, links, files] = [join(directory, "list"), join(directory, "links"), extractedFiles(directory)];
  await mkdir(links, { mode: 0o700 });
  await mkdir(files, { mode: 0o700 });
  await using file = await open(list, "wx", 0o600);
  await writeTreeList(file, listLayer(index));
  return {
    // A keeper kills its child when the daemon is gone: nobody waits for this tree any more.
    outside: [{ step: "clone", namespaces: 0, cgroup: noSlot }],
    inside: [
      { step: "dieWithParent" },
      { step: "writeTree", path: files, links, list, sources: [tar] },
      { step: "removeDirectory", path: links },
      { step: "removeFile", path: list },
      ...after,
    ],
    after: [],
  };
};
