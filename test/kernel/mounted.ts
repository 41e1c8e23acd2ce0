import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashOf, type IndexedLayer, type Listed, type Listing } from "../format/layers.ts";

const has = (program: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** Why trees cannot be mounted here, or false. */
export const cannotMount: string | false =
  process.getuid?.() !== 0 ? "mounting needs root" : has("cc") ? false : "there is no C compiler";

/** The upper four bits of a mode. (In decimal: Biome 2.6 miscounts octal keys when it simplifies them.) */
const fileTypes: Readonly<Record<number, string>> = {
  8: "file",
  4: "dir",
  10: "symlink",
  2: "char",
  6: "block",
  1: "fifo",
};

const text = (hex: string): string => Buffer.from(hex, "hex").toString("latin1");

/** The program's output as a listing. */
const parseListing = (output: Buffer): Listing => {
  const listing: Listing = new Map();
  const contents = new Map<string, string>();
  let at = 0;
  while (at < output.length) {
    const end = output.indexOf(0x0a, at);
    const fields = output.subarray(at, end).toString("latin1").split(" ");
    at = end + 1;
    const [path, octal, uid, gid, size, seconds, nanoseconds, rdev, links, group, target, ...xattrs] = fields as [
      ...[string, string, string, string, string, string, string, string, string, string, string],
      ...string[],
    ];
    const mode = Number.parseInt(octal, 8);
    const type = fileTypes[mode >> 12]!;
    if (type === "file" && (links === "1" || !contents.has(group))) {
      contents.set(group, hashOf(output.subarray(at, at + Number(size))));
      at += Number(size);
    }
    listing.set(text(path), {
      type,
      mode: (mode & 4095).toString(8).padStart(4, "0"),
      uid: Number(uid),
      gid: Number(gid),
      mtime: `${seconds}.${nanoseconds}`,
      group,
      ...(type === "file"
        ? {
            size: Number(size),
            sha256: contents.get(group)!,
          }
        : {}),
      ...(type === "symlink" ? { target: text(target) } : {}),
      ...(type === "char" || type === "block" ? { rdev } : {}),
      xattrs: Object.fromEntries(
        xattrs.map((xattr) => xattr.split("=") as [string, string]).map(([n, v]) => [text(n), v]),
      ),
    } satisfies Listed);
  }
  return listing;
};

/** Mounts layers on the running kernel; its directory goes with it. */
export class Mounter implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "pier-erofs-"));
  readonly #program = join(this.directory, "mounted-tree");
  #count = 0;

  constructor() {
    const source = new URL("./mounted-tree.c", import.meta.url).pathname;
    execFileSync("cc", ["-O1", "-Wall", "-Wextra", "-Werror", "-o", this.#program, source]);
  }

  /** Puts a layer's files in place. */
  write({ tar, index }: IndexedLayer): { tar: string; index: string } {
    const base = join(this.directory, String(this.#count++));
    writeFileSync(`${base}.tar`, tar);
    writeFileSync(`${base}.index`, index);
    return { tar: `${base}.tar`, index: `${base}.index` };
  }

  /** The tree of these layers (lowest first) as the kernel shows it, with overlayfs above them when there are several. */
  list(layers: readonly IndexedLayer[]): Listing {
    const files = layers.filter(({ isEmpty }) => !isEmpty).map((layer) => this.write(layer));
    const work = join(this.directory, `work${this.#count++}`);
    mkdirSync(work);
    const stack = files.reverse().flatMap(({ index, tar }) => [index, tar]);
    const output = execFileSync(this.#program, [work, ...stack], {
      maxBuffer: 2 ** 30,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const { index, tar } of files) {
      rmSync(index);
      rmSync(tar);
    }
    return parseListing(output);
  }

  /** As `list`, of layers that are mounted already: in this mount namespace, under these names (topmost first). */
  listMounted(namespace: string, directory: string, names: readonly string[]): Listing {
    const args = ["--stack", namespace, directory, ...names];
    return parseListing(execFileSync(this.#program, args, { maxBuffer: 2 ** 30, stdio: ["ignore", "pipe", "pipe"] }));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
