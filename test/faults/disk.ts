/**
 * A disk that keeps only what it must: a file's bytes once the file was synced, a directory's names once the directory
 * was. Whatever else was done may be there after a power cut, or not, in any order, or in part (Pillai and others, "All
 * File Systems Are Not Created Equal", OSDI 2014: no promise beyond these is the same everywhere).
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Call } from "./recording.ts";

type Change =
  | { readonly kind: "bytes"; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: "size"; readonly size: number }
  /** All of them or none: a rename within a directory is atomic. */
  | { readonly kind: "names"; readonly names: readonly (readonly [name: string, node: Node | undefined])[] };

interface Pending {
  readonly number: number;
  readonly change: Change;
}

interface Node {
  readonly isDirectory: boolean;
  /** As it is on disk, whatever happens. */
  bytes: Buffer;
  names: Map<string, Node>;
  pending: Pending[];
}

/** What of a node's unsynced changes reached the disk. */
type Choice = (node: Node) => readonly Change[];

const SECTOR = 512;

const create = (isDirectory: boolean): Node => ({ isDirectory, bytes: Buffer.alloc(0), names: new Map(), pending: [] });

const changed = (before: Buffer, change: Change): Buffer => {
  if (change.kind === "names") return before;
  const size = change.kind === "size" ? change.size : Math.max(before.length, change.at + change.bytes.length);
  const after = Buffer.alloc(size);
  before.copy(after);
  if (change.kind === "bytes") change.bytes.copy(after, change.at);
  return after;
};

const renamed = (before: ReadonlyMap<string, Node>, changes: readonly Change[]): Map<string, Node> => {
  const after = new Map(before);
  for (const change of changes) {
    if (change.kind !== "names") continue;
    for (const [name, node] of change.names) {
      if (node === undefined) after.delete(name);
      else after.set(name, node);
    }
  }
  return after;
};

const all: Choice = ({ pending }) => pending.map(({ change }) => change);
const none: Choice = () => [];

export class Disk {
  readonly #root: string;
  readonly #top = create(true);
  #number = 0;

  constructor(root: string) {
    this.#root = root;
  }

  apply(call: Call): void {
    const number = this.#number++;
    const change = (node: Node, what: Change): void => void node.pending.push({ number, change: what });
    switch (call.kind) {
      case "said":
        return;
      case "create":
      case "truncated":
      case "directory": {
        const existing = this.#find(call.path);
        if (existing === undefined) {
          const names = [[basename(call.path), create(call.kind === "directory")]] as const;
          change(this.#get(dirname(call.path)), { kind: "names", names });
        } else if (call.kind === "truncated") change(existing, { kind: "size", size: 0 });
        return;
      }
      case "remove":
        change(this.#get(dirname(call.path)), { kind: "names", names: [[basename(call.path), undefined]] });
        return;
      case "rename": {
        const node = this.#get(call.path);
        if (dirname(call.path) !== dirname(call.to)) {
          // Not atomic everywhere: after a cut it may have both names, or none.
          change(this.#get(dirname(call.to)), { kind: "names", names: [[basename(call.to), node]] });
          change(this.#get(dirname(call.path)), { kind: "names", names: [[basename(call.path), undefined]] });
          return;
        }
        const names = [
          [basename(call.path), undefined],
          [basename(call.to), node],
        ] as const;
        change(this.#get(dirname(call.path)), { kind: "names", names });
        return;
      }
      case "write": {
        // A file that has no name any more is of no consequence.
        const node = this.#find(call.path);
        if (node === undefined) return;
        const at = call.at ?? contentOf(node, all).length;
        change(node, { kind: "bytes", at, bytes: call.bytes });
        return;
      }
      case "size": {
        const node = this.#find(call.path);
        if (node !== undefined) change(node, { kind: "size", size: call.size });
        return;
      }
      case "sync": {
        const node = this.#find(call.path);
        if (node === undefined) return;
        const done = node.pending.filter(({ number: of }) => of < call.before).map((one) => one.change);
        node.bytes = done.reduce(changed, node.bytes);
        node.names = renamed(node.names, done);
        node.pending = node.pending.filter(({ number: of }) => of >= call.before);
      }
    }
  }

  /** What a power cut at this moment may leave; `random` gives numbers below its argument, `more` how many chance makes. */
  *statesAfterCut(random: (below: number) => number, more: number): Generator<State> {
    yield new State(this.#top, none);
    const open = this.#open();
    if (open.length === 0) return;
    yield new State(this.#top, all);
    for (const node of open) {
      for (const part of partsOf(node)) {
        for (const others of [none, all]) yield new State(this.#top, (one) => (one === node ? part : others(one)));
      }
    }
    for (let count = 0; count < more; count++) {
      const choices = new Map(open.map((node) => [node, chance(partsOf(node), random)]));
      yield new State(this.#top, (node) => choices.get(node) ?? []);
    }
  }

  /** All nodes that have unsynced changes, as the running system sees them. */
  #open(): readonly Node[] {
    const found = new Set<Node>();
    const visit = (node: Node): void => {
      if (node.pending.length > 0) found.add(node);
      // Also what was removed or renamed may be there again.
      for (const map of [node.names, renamed(node.names, all(node))]) for (const child of map.values()) visit(child);
    };
    visit(this.#top);
    return [...found];
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#top;
    for (const name of path.slice(this.#root.length).split("/")) {
      if (name !== "") node = node && renamed(node.names, all(node)).get(name);
    }
    return node;
  }

  #get(path: string): Node {
    const node = this.#find(path);
    if (node === undefined) throw new Error(`${path} is not there`);
    return node;
  }
}

const contentOf = (node: Node, choice: Choice): Buffer => choice(node).reduce(changed, node.bytes);

const chance = <T>(values: readonly T[], random: (below: number) => number): T => values[random(values.length)]!;

/** Which of a node's changes may have reached the disk: their beginnings, all but one, one alone, torn and empty ones. */
const partsOf = (node: Node): readonly (readonly Change[])[] => {
  const changes = all(node);
  const parts: (readonly Change[])[] = [[], changes];
  for (const [index, change] of changes.entries()) {
    const before = changes.slice(0, index);
    parts.push(before, [change], changes.toSpliced(index, 1));
    if (change.kind !== "bytes") continue;
    const { at, bytes } = change;
    parts.push([...before, { ...change, bytes: Buffer.alloc(bytes.length) }]);
    // Torn at the border of a sector, and either half first.
    const first = SECTOR - (at % SECTOR);
    for (let part = first; part < bytes.length; part += SECTOR) {
      parts.push([...before, { ...change, bytes: bytes.subarray(0, part) }]);
      parts.push([...before, { ...change, at: at + part, bytes: bytes.subarray(part) }]);
    }
  }
  return parts;
};

/** A disk after a power cut. */
export class State {
  readonly #files: (readonly [path: string, bytes: Buffer | undefined])[] = [];

  constructor(top: Node, choice: Choice) {
    const visit = (node: Node, path: string): void => {
      const content = node.isDirectory ? undefined : contentOf(node, choice);
      this.#files.push([path, content]);
      if (!node.isDirectory) return;
      for (const [name, child] of renamed(node.names, choice(node))) visit(child, join(path, name));
    };
    visit(top, "");
  }

  /** The files with their bytes. */
  list(): readonly string[] {
    return this.#files.flatMap(([path, bytes]) => (bytes === undefined ? [] : [`${path}=${bytes.toString("latin1")}`]));
  }

  /** The same for the same state. */
  digest(): string {
    const hash = createHash("sha256");
    for (const [path, bytes] of this.#files.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(`${path}\0${bytes?.length ?? "directory"}\0`);
      if (bytes !== undefined) hash.update(bytes);
    }
    return hash.digest("hex");
  }

  /** Holds afterwards: the files of this state lie in `directory`, which was not there before. */
  write(directory: string): void {
    for (const [path, bytes] of this.#files) {
      if (bytes === undefined) mkdirSync(join(directory, path), { mode: 0o700 });
      else writeFileSync(join(directory, path), bytes, { mode: 0o600 });
    }
  }
}
