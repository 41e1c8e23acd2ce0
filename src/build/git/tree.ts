/** The files of a commit as the entries of an archive: read from git's objects, never checked out. */
import { posix } from "node:path";
import type { TarTime } from "../../format/tar/entry.ts";
import type { TarHeader, TarOutput } from "../../format/tar/write.ts";
import { buildError } from "../errors.ts";
import { type GitPlace, gitOutput, runGit } from "./program.ts";

export interface GitEntry {
  readonly kind: "file" | "program" | "symlink" | "directory" | "module";
  readonly object: string;
  readonly size: number;
  /** One character per byte. */
  readonly path: string;
}

const kinds: Readonly<Record<string, GitEntry["kind"]>> = {
  ...{ "100644": "file", "100664": "file", "100755": "program" },
  ...{ "120000": "symlink", "040000": "directory", "160000": "module" },
};

/** Everything beneath a directory of a commit, directories before what is in them. Names that lead elsewhere are refused. */
export const listTree = async (place: GitPlace, commit: string, directory: string): Promise<readonly GitEntry[]> => {
  const tree = `${commit}:${directory}`;
  const listed = await runGit(place, "ls-tree", "-r", "-t", "-z", "-l", "--full-tree", tree);
  return listed
    .split("\0")
    .filter((line) => line !== "")
    .map((line) => {
      const [, mode = "", object = "", size = "", path = ""] =
        /^(\d+) \w+ ([0-9a-f]+) +(-|\d+)\t([\s\S]+)$/.exec(line) ?? [];
      const kind = kinds[mode];
      const parts = path.split("/");
      // A server may send what git itself would not check out (CVE-2014-9390).
      if (kind === undefined || parts.some((part) => part === "" || /^(\.{1,2}|\.git)$/i.test(part))) {
        throw buildError("git", {
          remote: place.remote,
          reason: `it has the name ${JSON.stringify(path.slice(0, 200))}`,
        });
      }
      return { kind, object, path, size: size === "-" ? 0 : Number(size) };
    });
};

const none = new Uint8Array();

export const headerOf = (path: string, type: TarHeader["type"], mode: number, mtime: TarTime): TarHeader => ({
  ...{ path: Buffer.from(path, "latin1"), type, mode, mtime, size: 0, link: none },
  ...{ uid: 0, gid: 0, major: 0, minor: 0, xattrs: new Map() },
});

/** The entries with their contents, below `prefix`. What is yielded is taken to its end before the next. */
export async function* readEntries(
  place: GitPlace,
  entries: readonly GitEntry[],
  { prefix, time }: { readonly prefix: string; readonly time: TarTime },
): AsyncGenerator<TarOutput> {
  const asked = entries.filter(({ kind, size }) => kind !== "directory" && kind !== "module" && size > 0);
  const lines = asked.map(({ object }) => `${object}\n`);
  await using objects = new ObjectStream(gitOutput(place, ["cat-file", "--batch"], lines));
  for (const { kind, path, size } of entries) {
    const name = posix.join(prefix, path);
    if (kind === "directory" || kind === "module") yield { header: headerOf(`${name}/`, "directory", 0o755, time) };
    else if (kind === "symlink") {
      const link = Buffer.concat(await Array.fromAsync(objects.next(size)));
      yield { header: { ...headerOf(name, "symlink", 0o777, time), link } };
    } else {
      const header = { ...headerOf(name, "file", kind === "program" ? 0o755 : 0o644, time), size };
      yield size === 0 ? { header } : { header, content: objects.next(size) };
    }
  }
}

/** `cat-file --batch`: a line of what comes, its bytes, and the end of a line. */
class ObjectStream implements AsyncDisposable {
  readonly #pieces: AsyncGenerator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncGenerator<Buffer>) {
    this.#pieces = pieces;
  }

  /** The bytes of the next object, which has so many. */
  async *next(size: number): AsyncGenerator<Buffer> {
    for (let end = -1; end < 0; ) {
      end = this.#held.indexOf("\n");
      if (end < 0) this.#held = Buffer.concat([this.#held, await this.#more()]);
      else {
        const head = this.#held.toString("latin1", 0, end);
        if (!head.endsWith(` blob ${size}`)) throw new Error(`git cat-file says ${head.slice(0, 100)}`);
        this.#held = this.#held.subarray(end + 1);
      }
    }
    for (let left = size; left > 0; ) {
      if (this.#held.length === 0) this.#held = await this.#more();
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
    if (this.#held.length === 0) this.#held = await this.#more();
    this.#held = this.#held.subarray(1);
  }

  async #more(): Promise<Buffer> {
    const { done, value } = await this.#pieces.next();
    if (done === true) throw new Error("git cat-file ended too early");
    return value;
  }

  /** Holds afterwards: git has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pieces.return(undefined);
  }
}
