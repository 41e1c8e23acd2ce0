/** What a container has written, of all that lies in its own layer: what was made to mount things on is ours, not its. Pure. */
import type { Tree } from "../image/tree.ts";
import type { ToldEntry } from "../kernel/tree-stream.ts";

type Lower = Pick<Tree, "at">;

/** Made at every start, where the image has nothing of the name: as in Docker's init layer. */
const markKinds: ReadonlyMap<string, ToldEntry["kind"]> = new Map([
  ["/.dockerenv", "file"],
  ["/etc/hosts", "file"],
  ["/etc/hostname", "file"],
  ["/etc/resolv.conf", "file"],
  ["/etc/mtab", "symlink"],
  ["/etc", "enter"],
  ["/dev", "enter"],
  ["/proc", "enter"],
  ["/sys", "enter"],
]);

/** An entry with its path from the root on, one character per byte. */
export interface OwnEntry {
  readonly path: string;
  readonly entry: ToldEntry;
  /** What the image has there. */
  readonly lower: ReturnType<Lower["at"]>;
}

interface Level {
  readonly own: OwnEntry;
  /** Whether it is told already, because of something in it. */
  isTold: boolean;
  hasMarks: boolean;
}

/** The entries of an upper directory, its root not among them, without our marks and the directories that are there for them alone. */
export async function* ownEntries(told: AsyncIterable<ToldEntry>, image: Lower): AsyncGenerator<OwnEntry> {
  const way: Level[] = [];
  for await (const entry of told) {
    if (entry.kind === "leave") {
      const level = way.pop();
      if (level === undefined) continue;
      if (!level.isTold && !isOurs(level)) {
        yield* untold(way);
        yield level.own;
        level.isTold = true;
      }
      if (level.isTold) yield { ...level.own, entry };
      continue;
    }
    // The root is entered too, and has no name.
    if (entry.name === "") continue;
    const path = `${way.at(-1)?.own.path ?? ""}/${entry.name}`;
    const own = { path, entry, lower: image.at(path) };
    if (entry.kind === "enter") {
      way.push({ own, isTold: false, hasMarks: false });
    } else if (isMark(own)) {
      const above = way.at(-1);
      if (above !== undefined) above.hasMarks = true;
    } else {
      yield* untold(way);
      yield own;
    }
  }
}

/** The directories on the way that nobody was told of yet. */
function* untold(way: readonly Level[]): Generator<OwnEntry> {
  for (const level of way) {
    if (!level.isTold) yield level.own;
    level.isTold = true;
  }
}

const isMark = ({ path, entry, lower }: OwnEntry): boolean =>
  lower === undefined && markKinds.get(path) === entry.kind && (entry.kind !== "file" || entry.size === 0);

/** A directory with nothing of the container's in it: there for our marks, or to be mounted on, and otherwise as it was. */
const isOurs = ({ own, hasMarks }: Level): boolean => {
  const { entry, lower } = own;
  if (lower === undefined) return markKinds.get(own.path) === "enter";
  const isSame = lower.mode === entry.mode && lower.uid === entry.uid && lower.gid === entry.gid;
  const isOld = lower.mtime.seconds === entry.mtime.seconds && lower.mtime.nanoseconds === entry.mtime.nanoseconds;
  return lower.type === "directory" && isSame && (hasMarks || isOld) && !entry.xattrs.has("trusted.overlay.opaque");
};

/** As `docker diff` counts them. */
export const changeKinds = { modified: 0, added: 1, deleted: 2 } as const;

export interface Change {
  readonly path: string;
  readonly kind: (typeof changeKinds)[keyof typeof changeKinds];
}

/** What was changed, by path. */
export const listChanges = async (entries: AsyncIterable<OwnEntry>): Promise<readonly Change[]> => {
  const changes: Change[] = [];
  for await (const { path, entry, lower } of entries) {
    if (entry.kind === "leave") continue;
    const isWhiteout = entry.kind === "character" && entry.major === 0 && entry.minor === 0;
    const kind = isWhiteout ? changeKinds.deleted : lower === undefined ? changeKinds.added : changeKinds.modified;
    changes.push({ path: Buffer.from(path, "latin1").toString("utf8"), kind });
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
};
