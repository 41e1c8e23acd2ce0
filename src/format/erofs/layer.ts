import { formatError } from "../errors.ts";
import type { TarEntry, TarTime } from "../tar/entry.ts";
import { latin1 } from "../tar/numbers.ts";
import type { Attributes } from "./attributes.ts";
import { attributesOf, contentOf, mergeXattrs } from "./entries.ts";
import { defaultLayerLimits, type LayerLimits, Meter } from "./limits.ts";
import { cleanPath, directoryOf, isTooLong, nameBelow, parsePath, printable } from "./paths.ts";
import { ROOT, Tree, WHITEOUT } from "./tree.ts";
import { OPAQUE_NAME, OPAQUE_VALUE, type Xattrs } from "./xattrs.ts";

const WHITEOUT_PREFIX = ".wh.";
const OPAQUE_MARK = ".wh..wh..opq";
// As the kernel; Docker allows for 255, with which a small archive could ask for hours of walking.
const LINKS_MAXIMUM = 40;

const NO_XATTRS: Xattrs = new Map();
const EPOCH: TarTime = { seconds: 0n, nanoseconds: 0 };

/** Those of a directory that no entry describes, as Docker makes it: 0755, root's. */
const impliedAttributes = (mtime: TarTime): Attributes => ({ mode: 0o755, uid: 0, gid: 0, mtime, xattrs: NO_XATTRS });

interface Place {
  /** The path to it as an entry had it, with the last slash; undefined where the entry's path told it otherwise. */
  readonly directory: string | undefined;
  readonly parent: number;
  /** How many names had been taken away: with the next one the same path may lead elsewhere. */
  readonly removals: number;
}

/**
 * The tree that one layer's entries make, applied in order to an empty directory as Docker's overlay2 driver does
 * (moby/go-archive, Unpack with OverlayWhiteoutFormat), but in memory: nothing here can touch a file of the host.
 */
export class LayerTree {
  readonly tree: Tree;
  readonly #limits: LayerLimits;
  /** Where the last entry stands: most entries stand beside the one before them. */
  #last: Place | undefined;

  constructor(limits: LayerLimits = defaultLayerLimits) {
    this.#limits = limits;
    this.tree = new Tree(new Meter(limits));
    this.tree.setAttributes(ROOT, impliedAttributes(EPOCH));
  }

  /** Applies one entry; throws when it asks for what no file system could have, or nobody should give. */
  add(entry: TarEntry): void {
    const path = latin1(entry.path);
    const name = this.#nameBesideLast(path) ?? this.#enter(entry, path);
    // Docker leaves the root of a layer alone, whatever an entry says of it.
    if (name === undefined) return;
    const { parent } = this.#last!;
    const isDirectory = this.tree.isDirectory(parent);
    if (name === OPAQUE_MARK) {
      // Below something that is no directory Docker marks that, and overlayfs takes no notice of it.
      if (isDirectory) this.#makeOpaque(parent);
      return;
    }
    if (!isDirectory) throw conflict(path, "not a directory");
    if (name.startsWith(WHITEOUT_PREFIX)) this.#addWhiteout(parent, name.slice(WHITEOUT_PREFIX.length), path);
    else if (entry.type === "hardlink") this.#addHardlink(parent, name, entry, path);
    else this.#addNode(parent, name, entry, path);
  }

  /** What the path calls the entry if it stands beside the last one; undefined as well where that must be looked into. */
  #nameBesideLast(path: string): string | undefined {
    const { directory, removals } = this.#last ?? {};
    return directory !== undefined && removals === this.tree.removals ? nameBelow(directory, path) : undefined;
  }

  /** Finds the entry's place and answers its name there, which the root has none of. */
  #enter(entry: TarEntry, path: string): string | undefined {
    const names = parsePath(path);
    const name = names.pop();
    if (name === undefined) return undefined;
    const parent = this.#resolve(names, entry, path);
    this.#last = { directory: directoryOf(path, name), parent, removals: this.tree.removals };
    return name;
  }

  #makeOpaque(directory: number): void {
    const attributes = this.tree.attributesOf(directory);
    const xattrs = new Map(attributes.xattrs).set(OPAQUE_NAME, OPAQUE_VALUE);
    this.tree.setOpaque(directory);
    this.tree.setAttributes(directory, { ...attributes, xattrs });
  }

  #addWhiteout(parent: number, name: string, path: string): void {
    if (name === "" || name === "." || name === "..") {
      throw formatError("layerWhiteout", { path: printable(path), reason: "it names no file" });
    }
    if (this.tree.find(parent, name) !== undefined) {
      throw formatError("layerWhiteout", { path: printable(path), reason: "the same layer has that file" });
    }
    this.tree.link(parent, name, WHITEOUT);
  }

  #addNode(parent: number, name: string, entry: TarEntry, path: string): void {
    const attributes = attributesOf(entry, path);
    const existing = entry.type === "directory" ? this.tree.find(parent, name) : undefined;
    if (existing !== undefined && this.tree.isDirectory(existing)) {
      const before = this.tree.attributesOf(existing);
      const xattrs = mergeXattrs(before.xattrs, attributes.xattrs, path);
      this.tree.setAttributes(existing, { ...attributes, xattrs });
    } else this.tree.add(parent, name, contentOf(entry, path, this.#limits), attributes);
  }

  #addHardlink(parent: number, name: string, entry: TarEntry, path: string): void {
    // First of all the name is freed, so that a link to itself is a link to nothing.
    this.tree.remove(parent, name);
    const target = latin1(entry.link);
    const wrong = (reason: string) =>
      formatError("layerHardlink", { path: printable(path), target: printable(target), reason });
    const names = cleanPath(target);
    const last = names?.pop();
    if (names === undefined || last === undefined) throw wrong("invalid hardlink target");
    const directory = this.#find(names, path);
    const isDirectory = directory !== undefined && this.tree.isDirectory(directory);
    const inode = isDirectory ? this.tree.find(directory, last) : undefined;
    if (inode === undefined || inode === WHITEOUT) throw wrong("no such file or directory in this layer");
    if (this.tree.isDirectory(inode)) throw wrong("operation not permitted: it is a directory");
    const type = this.tree.typeOf(inode);
    const before = this.tree.attributesOf(inode);
    const after = attributesOf({ ...entry, type }, path);
    this.tree.setAttributes(inode, {
      ...after,
      // There is no way to give these to a symbolic link by one of its names.
      ...(type === "symlink" ? { mode: before.mode, mtime: before.mtime } : {}),
      xattrs: mergeXattrs(before.xattrs, after.xattrs, path),
    });
    this.tree.link(parent, name, inode);
  }

  /** What stands at a path, making missing directories of the way, also those that a link points to. */
  #resolve(names: readonly string[], entry: TarEntry, path: string): number {
    const attributes = impliedAttributes(entry.mtime);
    return this.#walk(names, path, (parent, name) => {
      // A link's target may name what nobody can make.
      if (isTooLong(name)) throw conflict(path, "file name too long");
      return this.tree.add(parent, name, { type: "directory" }, attributes);
    })!;
  }

  #find(names: readonly string[], path: string): number | undefined {
    return this.#walk(names, path, () => undefined);
  }

  /** Walks from the root, following links inside the layer; `..` of the root is the root. */
  #walk(
    names: readonly string[],
    path: string,
    missing: (parent: number, name: string) => number | undefined,
  ): number | undefined {
    const stack = [ROOT];
    const left = names.toReversed();
    let links = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const parent = stack.at(-1)!;
      const inode = this.tree.find(parent, name) ?? missing(parent, name);
      if (inode === undefined) return undefined;
      const type = this.tree.typeOf(inode);
      if (type === "directory") {
        const limit = this.#limits.depth;
        if (stack.push(inode) > limit) {
          throw formatError("layerLimit", { what: "more directories inside one another", limit });
        }
      } else if (type === "symlink") {
        if (++links > LINKS_MAXIMUM) throw conflict(path, "too many links");
        const target = this.tree.targetOf(inode);
        if (target.startsWith("/")) stack.length = 1;
        left.push(...target.split("/").reverse());
      } else if (left.some((rest) => rest !== "" && rest !== ".")) throw conflict(path, "not a directory");
      else return inode;
    }
    return stack.at(-1)!;
  }
}

const conflict = (path: string, reason: string): Error =>
  formatError("layerConflict", { path: printable(path), reason });
