/** What COPY and ADD put where: from trees as data to the entries of a layer. Reads nothing but names and attributes. */

import { posix } from "node:path";
import type { Ignore } from "../format/ignore.ts";
import { matchesPath, type PathPattern, parsePathPattern } from "../format/path-patterns.ts";
import type { TarTime } from "../format/tar/entry.ts";
import type { TarHeader } from "../format/tar/write.ts";
import type { Tree, TreeEntry } from "../image/tree.ts";
import type { ChangeMode } from "./copy-mode.ts";
import { buildError } from "./errors.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Where files come from; `pattern` as written, expanded. */
export interface CopySource {
  readonly tree: Tree;
  readonly pattern: string;
  /** What of it is not there for copies. */
  readonly hidden?: Ignore;
  /** Whose its files become, unless the instruction says; undefined: they stay whose they are. */
  readonly owner?: Owner;
  /** Attributes beyond owner and mode come along. */
  readonly keepsXattrs: boolean;
  /** Of contents that were read before, by the tree's identities of them. */
  readonly digests?: Map<string, Buffer>;
}

export interface CopyInput {
  /** COPY or ADD, for what is said. */
  readonly name: string;
  readonly sources: readonly CopySource[];
  /** As written, expanded. */
  readonly target: string;
  readonly workdir: string;
  /** The files of the stage; undefined with --link: then links in it mean nothing. */
  readonly below: Tree | undefined;
  /** --chown; undefined: as each source has it. */
  readonly owner: Owner | undefined;
  /** --chmod; undefined: as they are. */
  readonly mode: ChangeMode | undefined;
  readonly parents: boolean;
  readonly exclude: readonly PathPattern[];
  /** Of directories that are made on the way. */
  readonly time: TarTime;
  /** More than one thing is copied, whatever `sources` says: the target is a directory. */
  readonly several: boolean;
}

/** An entry of the layer. Paths are one character per byte, without a slash before them. */
export interface CopyItem {
  readonly path: string;
  readonly header: TarHeader;
  /** What has the content; absent for all that has none. */
  readonly content?: { readonly tree: Tree; readonly entry: TreeEntry; readonly digests?: Map<string, Buffer> };
  /** It was there before: it stands in the layer so that it stays as it is. */
  readonly isOld: boolean;
}

const none = new Uint8Array();

const namesIn = (tree: Tree, directory: string): readonly string[] => tree.children(directory).map(([name]) => name);
const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const utf8 = (text: string): string =>
  /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, "latin1").toString("utf8");
/** Of a name that a tree has: it need not be looked at for dots and slashes. */
const within = (directory: string, name: string): string => (directory === "/" ? `/${name}` : `${directory}/${name}`);
const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** A source path as a place in its tree: no `..` leads out of it. */
const cleaned = (pattern: string): string => posix.resolve("/", pattern);

const isWildcard = (path: string): boolean => /[*?[\\]/.test(path);

/** The paths that a source means, in order of their names. */
const matches = ({ tree, pattern }: CopySource): readonly string[] => {
  const path = cleaned(pattern);
  if (!isWildcard(path)) return [latin1(path)];
  let found = ["/"];
  for (const name of path.split("/").filter((part) => part !== "")) {
    const parsed = isWildcard(name) ? parsePathPattern(name, { deep: false }) : undefined;
    found = found.flatMap((directory) => {
      const inner =
        parsed === undefined
          ? [latin1(name)]
          : namesIn(tree, directory).filter((one) => matchesPath(parsed, utf8(one)));
      return inner.map((one) => posix.join(directory, one)).filter((one) => tree.entry(one) !== undefined);
    });
  }
  return found;
};

export const planCopy = (input: CopyInput): readonly CopyItem[] => new Copy(input).items();

/** The directories that lead to the path, whose they are when they are made. */
export const planDirectories = (path: string, below: Tree, owner: Owner, time: TarTime): readonly CopyItem[] =>
  new Copy({
    ...{ name: "", sources: [], target: path, workdir: "/", below, owner, mode: undefined, parents: false },
    ...{ exclude: [], time, several: false },
  }).directories();

class Copy {
  readonly #input: CopyInput;
  readonly #items = new Map<string, CopyItem>();
  /** Directories whose way from the root is there, or made. */
  readonly #ways = new Set<string>();
  /** The first name of a file with several, by its identity in its source's tree. */
  readonly #links = new Map<CopySource, Map<string, string>>();

  constructor(input: CopyInput) {
    this.#input = input;
  }

  directories(): readonly CopyItem[] {
    this.#makeDirectories(this.#place(latin1(this.#input.target), true));
    return [...this.#items.values()];
  }

  items(): readonly CopyItem[] {
    const { sources, name, parents, several } = this.#input;
    const found = sources.flatMap((source) => {
      const paths = matches(source).filter((path) => !this.#isHidden(source, path));
      // A pattern may mean nothing; what is named must be there.
      if (paths.length === 0 && !isWildcard(source.pattern)) throw buildError("notFound", { path: source.pattern });
      return paths.map((path) => ({ source, path }));
    });
    const target = posix.resolve("/", latin1(this.#input.workdir), latin1(this.#input.target));
    const saysDirectory = /(^|\/)\.?$/.test(this.#input.target);
    if ((several || found.length > 1) && !saysDirectory && !parents && !this.#isDirectory(target)) {
      throw buildError("severalToFile", { name });
    }
    const isInto = saysDirectory || several || found.length > 1 || parents;
    for (const { source, path } of found) this.#copyOne(source, path, target, isInto);
    return [...this.#items.values()];
  }

  #isHidden({ hidden }: CopySource, path: string): boolean {
    return hidden?.has(utf8(path.slice(1))) === true;
  }

  #isDirectory(path: string): boolean {
    return this.#input.below?.find(utf8(path))?.type === "directory";
  }

  #copyOne(source: CopySource, path: string, target: string, isInto: boolean): void {
    const { tree } = source;
    const located = tree.locate(path);
    const entry = located === undefined || located.missing.length > 0 ? undefined : tree.entry(located.path);
    if (located === undefined || entry === undefined) throw buildError("notFound", { path: utf8(path) });
    if (this.#input.parents) {
      // What stands before `/./` is no parent.
      const pivot = source.pattern.indexOf("/./");
      const base = pivot < 0 ? "/" : latin1(cleaned(source.pattern.slice(0, pivot)));
      const relative = path.startsWith(base === "/" ? "/" : `${base}/`)
        ? path.slice(base === "/" ? 1 : base.length + 1)
        : path.slice(1);
      const place = this.#place(posix.join(target, relative));
      this.#copy(source, located.path, entry, place, "");
      return;
    }
    if (entry.type === "directory") {
      if (isInto) this.#makeDirectories(this.#place(target, true));
      this.#copy(source, located.path, entry, this.#place(target, true), "");
      return;
    }
    const isTargetDirectory = isInto || this.#isDirectory(target);
    const place = isTargetDirectory ? this.#place(posix.join(target, posix.basename(path))) : this.#place(target, true);
    // What is named itself is not left out.
    this.#copy(source, located.path, entry, place, "");
  }

  /** Where the target is when the stage's links are followed: of a file, those above it; of a directory, all. */
  #place(target: string, isDirectory = false): string {
    const { below } = this.#input;
    if (below === undefined || target === "/") return target;
    const located = below.locate(isDirectory ? target : posix.dirname(target));
    if (located === undefined) throw buildError("notADirectory", { path: utf8(target) });
    const found = posix.join(located.path, ...located.missing);
    const isDirectoryThere = located.path === "/" || below.entry(located.path)?.type === "directory";
    if (located.missing.length > 0 && !isDirectoryThere) {
      throw buildError("notADirectory", { path: utf8(target) });
    }
    return isDirectory ? found : posix.join(found, posix.basename(target));
  }

  /** The directories from the root to this one: those that are there stay as they are, the others are made. */
  #makeDirectories(path: string): void {
    if (this.#ways.has(path)) return;
    const names = path.split("/").filter((name) => name !== "");
    for (const [index] of names.entries()) {
      const way = names.slice(0, index + 1).join("/");
      if (this.#items.has(way)) continue;
      const there = this.#input.below?.entry(`/${way}`);
      if (there !== undefined && there.type !== "directory") throw buildError("notADirectory", { path: utf8(path) });
      const owner = this.#input.owner ?? { uid: 0, gid: 0 };
      const header: TarHeader =
        there === undefined
          ? { ...directoryHeader(way), mode: this.#madeMode(), ...owner, mtime: this.#input.time }
          : {
              ...directoryHeader(way),
              mode: there.mode,
              uid: there.uid,
              gid: there.gid,
              mtime: there.mtime,
              xattrs: there.xattrs,
            };
      this.#items.set(way, { path: way, header, isOld: there !== undefined });
    }
    this.#ways.add(path);
  }

  /** Of a directory on the way: what mkdir(2) would make of --chmod. */
  #madeMode(): number {
    return (this.#input.mode?.(0o755, true) ?? 0o755) & 0o755;
  }

  #isExcluded(relative: string): boolean {
    const names = relative.split("/");
    return this.#input.exclude.some((pattern) =>
      names.some((_, index) => matchesPath(pattern, utf8(names.slice(0, index + 1).join("/")))),
    );
  }

  /** `isNew`: the stage has nothing there. */
  #copy(
    source: CopySource,
    from: string,
    entry: TreeEntry,
    to: string,
    relative: string,
    isNew = this.#input.below === undefined,
  ): void {
    if (relative !== "" && this.#isExcluded(relative)) return;
    if (this.#isHidden(source, from)) return;
    const path = to.slice(1);
    const there = isNew ? undefined : this.#input.below?.entry(to);
    if (entry.type === "directory") this.#copyDirectory(source, from, entry, to, relative, there);
    else {
      if (there?.type === "directory" || path === "") throw buildError("notADirectory", { path: utf8(to) });
      this.#makeDirectories(posix.dirname(to));
      this.#items.delete(path);
      this.#items.set(path, this.#itemOf(source, entry, path));
    }
  }

  #copyDirectory(
    source: CopySource,
    from: string,
    entry: TreeEntry,
    to: string,
    relative: string,
    there: TreeEntry | undefined,
  ): void {
    const path = to.slice(1);
    if (there !== undefined && there.type !== "directory") throw buildError("notADirectory", { path: utf8(to) });
    // The directory that is named stands for what is in it; those below it are copied as they are, whatever was there.
    const isNamed = relative === "" && !this.#input.parents;
    if (isNamed) this.#makeDirectories(to);
    else {
      this.#makeDirectories(posix.dirname(to));
      if (path !== "" && (!this.#items.has(path) || there !== undefined)) {
        this.#items.set(path, this.#itemOf(source, entry, path));
      }
    }
    for (const [name, found] of source.tree.children(from)) {
      const inner = relative === "" ? name : `${relative}/${name}`;
      this.#copy(source, within(from, name), found, within(to, name), inner, there === undefined);
    }
  }

  #itemOf(source: CopySource, entry: TreeEntry, path: string): CopyItem {
    const { mode } = this.#input;
    const { tree, keepsXattrs, digests } = source;
    const owner = this.#input.owner ?? source.owner;
    const { type } = entry;
    const header: TarHeader = {
      path: bytesOf(type === "directory" ? `${path}/` : path),
      type: type === "whiteout" ? "file" : type,
      mode: mode === undefined || type === "symlink" ? entry.mode : mode(entry.mode, type === "directory"),
      ...(owner ?? { uid: entry.uid, gid: entry.gid }),
      mtime: entry.mtime,
      size: type === "file" ? entry.size : 0,
      link: type === "symlink" ? entry.target : none,
      major: type === "character" || type === "block" ? entry.major : 0,
      minor: type === "character" || type === "block" ? entry.minor : 0,
      xattrs: keepsXattrs ? entry.xattrs : new Map(),
    };
    if (type !== "file") return { path, header, isOld: false };
    const links = this.#links.get(source) ?? new Map<string, string>();
    this.#links.set(source, links);
    const first = entry.nlink > 1 ? links.get(entry.identity) : undefined;
    if (first !== undefined && this.#items.has(first)) {
      return { path, header: { ...header, type: "hardlink", size: 0, link: bytesOf(first) }, isOld: false };
    }
    if (entry.nlink > 1) links.set(entry.identity, path);
    return { path, header, content: { tree, entry, ...(digests && { digests }) }, isOld: false };
  }
}

const directoryHeader = (path: string): Omit<TarHeader, "mode" | "uid" | "gid" | "mtime"> => ({
  ...{ path: bytesOf(`${path}/`), type: "directory", size: 0, link: none, major: 0, minor: 0 },
  xattrs: new Map(),
});
