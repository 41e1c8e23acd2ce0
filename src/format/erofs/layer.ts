import { formatError } from "../errors.ts";
import type { TarEntry } from "../tar/entry.ts";
import { latin1 } from "../tar/numbers.ts";
import { attributesOf, mergeXattrs, nodeOf } from "./entries.ts";
import { defaultLayerLimits, type LayerLimits, Meter } from "./limits.ts";
import { cleanPath, parsePath, printable } from "./paths.ts";
import { type DirectoryNode, impliedDirectory, type LayerNode, whiteout } from "./tree.ts";

const WHITEOUT_PREFIX = ".wh.";
const OPAQUE_MARK = ".wh..wh..opq";
// As the kernel; Docker allows for 255, with which a small archive could ask for hours of walking.
const LINKS_MAXIMUM = 40;

/**
 * The tree that one layer's entries make, applied in order to an empty directory as Docker's overlay2 driver does
 * (moby/go-archive, Unpack with OverlayWhiteoutFormat), but in memory: nothing here can touch a file of the host.
 */
export class LayerTree {
  readonly root: DirectoryNode = impliedDirectory({ seconds: 0n, nanoseconds: 0 });
  readonly #meter: Meter;

  constructor(limits: LayerLimits = defaultLayerLimits) {
    this.#meter = new Meter(limits);
  }

  /** True when the layer changes nothing, so that a stack may leave it out. */
  get isEmpty(): boolean {
    return this.root.children.size === 0 && !this.root.isOpaque;
  }

  /** Applies one entry; throws when it asks for what no file system could have, or nobody should give. */
  add(entry: TarEntry): void {
    const path = latin1(entry.path);
    const names = parsePath(path);
    const name = names.pop();
    // Docker leaves the root of a layer alone, whatever an entry says of it.
    if (name === undefined) return;
    const parent = this.#resolve(names, entry, path);
    if (name === OPAQUE_MARK) {
      // Below something that is no directory Docker marks that, and overlayfs takes no notice of it.
      if (parent.type === "directory") parent.isOpaque = true;
      return;
    }
    if (parent.type !== "directory") throw conflict(path, "not a directory");
    if (name.startsWith(WHITEOUT_PREFIX)) this.#addWhiteout(parent, name.slice(WHITEOUT_PREFIX.length), path);
    else if (entry.type === "hardlink") this.#addHardlink(parent, name, entry, path);
    else this.#addNode(parent, name, entry, path);
  }

  #addWhiteout(parent: DirectoryNode, name: string, path: string): void {
    if (name === "" || name === "." || name === "..") {
      throw formatError("layerWhiteout", { path: printable(path), reason: "it names no file" });
    }
    if (parent.children.has(name)) {
      throw formatError("layerWhiteout", { path: printable(path), reason: "the same layer has that file" });
    }
    this.#put(parent, name, whiteout);
  }

  #addNode(parent: DirectoryNode, name: string, entry: TarEntry, path: string): void {
    const existing = parent.children.get(name);
    if (existing?.type === "directory" && entry.type === "directory") {
      const attributes = attributesOf(entry, path, this.#meter);
      existing.attributes = { ...attributes, xattrs: mergeXattrs(existing.attributes.xattrs, attributes.xattrs, path) };
      return;
    }
    this.#put(parent, name, nodeOf(entry, path, this.#meter));
  }

  #addHardlink(parent: DirectoryNode, name: string, entry: TarEntry, path: string): void {
    // First of all the name is freed, so that a link to itself is a link to nothing.
    parent.children.delete(name);
    const target = latin1(entry.link);
    const wrong = (reason: string) =>
      formatError("layerHardlink", { path: printable(path), target: printable(target), reason });
    const names = cleanPath(target);
    const last = names?.pop();
    if (names === undefined || last === undefined) throw wrong("invalid hardlink target");
    const directory = this.#find(names, path);
    const node = directory?.type === "directory" ? directory.children.get(last) : undefined;
    if (node === undefined || node.type === "whiteout") throw wrong("no such file or directory in this layer");
    if (node.type === "directory") throw wrong("operation not permitted: it is a directory");
    const { uid, gid, mode, mtime, xattrs } = attributesOf({ ...entry, type: node.type }, path, this.#meter);
    const before = node.attributes;
    node.attributes = {
      uid,
      gid,
      xattrs: mergeXattrs(before.xattrs, xattrs, path),
      ...(node.type === "symlink"
        ? {
            mode: before.mode,
            mtime: before.mtime,
          }
        : {
            mode,
            mtime,
          }),
    };
    this.#put(parent, name, node);
  }

  #put(parent: DirectoryNode, name: string, node: LayerNode): void {
    this.#meter.chargeNode();
    this.#meter.chargeBytes(name.length);
    parent.children.set(name, node);
  }

  /** What stands at a path, making missing directories of the way, also those that a link points to. */
  #resolve(names: readonly string[], entry: TarEntry, path: string): LayerNode {
    return this.#walk(names, path, (parent, name) => {
      const made = impliedDirectory(entry.mtime);
      this.#put(parent, name, made);
      return made;
    })!;
  }

  #find(names: readonly string[], path: string): LayerNode | undefined {
    return this.#walk(names, path, () => undefined);
  }

  /** Walks from the root, following links inside the layer; `..` of the root is the root. */
  #walk(
    names: readonly string[],
    path: string,
    missing: (parent: DirectoryNode, name: string) => DirectoryNode | undefined,
  ): LayerNode | undefined {
    const stack: DirectoryNode[] = [this.root];
    const left = names.toReversed();
    let links = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const parent = stack.at(-1)!;
      const node = parent.children.get(name) ?? missing(parent, name);
      if (node === undefined) return undefined;
      if (node.type === "directory") {
        if (stack.push(node) > this.#meter.limits.depth) {
          throw formatError("layerLimit", {
            what: "more directories inside one another",
            limit: this.#meter.limits.depth,
          });
        }
      } else if (node.type === "symlink") {
        if (++links > LINKS_MAXIMUM) throw conflict(path, "too many links");
        if (node.target.startsWith("/")) stack.length = 1;
        left.push(...node.target.split("/").reverse());
      } else if (left.some((rest) => rest !== "" && rest !== ".")) throw conflict(path, "not a directory");
      else return node;
    }
    return stack.at(-1)!;
  }
}

const conflict = (path: string, reason: string): Error =>
  formatError("layerConflict", { path: printable(path), reason });
