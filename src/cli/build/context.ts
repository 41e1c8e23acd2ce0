/** The context of a build: a directory as a tar, without what its .dockerignore leaves out. */
import { randomBytes } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, type Stats } from "node:fs";
import { posix } from "node:path";
import { compressionOf } from "../../format/compression.ts";
import { type Ignore, parseIgnore, parseIgnoreFile } from "../../format/ignore.ts";
import type { TarEntryType } from "../../format/tar/entry.ts";
import { type TarHeader, type TarOutput, writeTar } from "../../format/tar/write.ts";
import { cliError } from "../errors.ts";
import { fileFailure } from "../failure.ts";
import { readInput } from "../streams/input.ts";
import { isRemote } from "./named-contexts.ts";

export interface BuildContext {
  /** Of a directory that the daemon can ask us for: this one; then the data are for a daemon that cannot. */
  readonly directory?: string;
  readonly data: AsyncIterable<Uint8Array>;
  /** The Dockerfile's name in it. */
  readonly dockerfile: string;
  /** Where the daemon fetches it; then no data are sent. */
  readonly remote?: string;
}

const none = new Uint8Array();

const fileHeader = (name: string, size: number): TarHeader => ({
  ...{ path: Buffer.from(name, "latin1"), type: "file", mode: 0o644, uid: 0, gid: 0, size, link: none },
  ...{ mtime: { seconds: 0n, nanoseconds: 0 }, major: 0, minor: 0, xattrs: new Map() },
});

const fileOf = (name: string, content: Uint8Array): TarOutput => ({
  header: fileHeader(name, content.length),
  content: [content],
});

const typeOf = (status: Stats): TarEntryType | undefined => {
  if (status.isFile()) return "file";
  if (status.isDirectory()) return "directory";
  if (status.isSymbolicLink()) return "symlink";
  return status.isFIFO() ? "fifo" : undefined;
};

/** Something in a directory, as the file system has it. */
export interface Walked {
  /** From the directory on, one character per byte, whatever its encoding. */
  readonly path: string;
  /** Where it lies. */
  readonly place: string;
  readonly type: TarEntryType;
  readonly status: Stats;
}

const isAscii = (path: string): boolean => /^[\x00-\x7f]*$/.test(path);
const utf8 = (path: string): string => (isAscii(path) ? path : Buffer.from(path, "latin1").toString("utf8"));
/** As a call of the kernel takes it. */
const bytes = (path: string): string | Buffer => (isAscii(path) ? path : Buffer.from(path, "latin1"));

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** A directory, as the beginning of the places in it. */
export const topOf = (directory: string): string => Buffer.from(posix.join(directory), "utf8").toString("latin1");

/** What is in the directory, each name after what is above it. Owners are nobody's business: in an image it is root's. */
export function* walk(top: string, inner: string, ignore: Ignore, kept: ReadonlySet<string>): Generator<Walked> {
  const names = readdirSync(bytes(`${top}/${inner}`), { encoding: "latin1" as BufferEncoding });
  for (const name of [...names].sort()) {
    const path = inner === "" ? name : `${inner}/${name}`;
    const isLeftOut = ignore.has(utf8(path)) && !kept.has(path);
    const place = `${top}/${path}`;
    const status = lstatSync(bytes(place));
    const type = typeOf(status);
    if (type === undefined) continue;
    if (!isLeftOut) yield { path, place, type, status };
    if (type === "directory" && (!isLeftOut || ignore.hasExceptions)) yield* walk(top, path, ignore, kept);
  }
}

const pieceSize = 256 * 1024;

/** As much as the header says: a file that grows meanwhile is sent as it was, one that shrinks is an error. */
function* readPieces(place: string, size: number): Generator<Uint8Array> {
  const file = openSync(bytes(place), "r");
  try {
    for (let left = size; left > 0; ) {
      const piece = Buffer.allocUnsafe(Math.min(left, pieceSize));
      const count = readSync(file, piece, 0, piece.length, null);
      if (count === 0) return;
      left -= count;
      yield piece.subarray(0, count);
    }
  } finally {
    closeSync(file);
  }
}

/** What is at one path below the directory, or undefined: nothing that can be in an image. */
export const walkedAt = (top: string, path: string): Walked | undefined => {
  const place = `${top}/${path}`;
  const status = lstatSync(bytes(place), { throwIfNoEntry: false });
  const type = status === undefined ? undefined : typeOf(status);
  return type === undefined ? undefined : { path, place, type, status: status! };
};

/** Of a symbolic link. */
export const targetOf = ({ place, type }: Walked): Uint8Array =>
  type === "symlink" ? readlinkSync(bytes(place), { encoding: "buffer" }) : none;

/** Of a file, as much as was there when it was walked by. */
export const contentOf = ({ place, type, status: { size } }: Walked): Iterable<Uint8Array> =>
  type === "file" && size > 0 ? readPieces(place, size) : [];

const entryOf = (walked: Walked): TarOutput => {
  const { path, type, status } = walked;
  const header: TarHeader = {
    ...fileHeader(type === "directory" ? `${path}/` : path, type === "file" ? status.size : 0),
    type,
    mode: status.mode & 0o7777,
    mtime: {
      seconds: BigInt(Math.floor(status.mtimeMs / 1000)),
      nanoseconds: Math.floor(status.mtimeMs % 1000) * 1_000_000,
    },
    link: targetOf(walked),
  };
  return { header, content: contentOf(walked) };
};

const directoryContext = (
  directory: string,
  dockerfile: string | undefined,
  outside: string | undefined,
  isQuestion: boolean,
): BuildContext => {
  const top = topOf(directory);
  const name =
    outside === undefined
      ? posix.normalize(dockerfile ?? "Dockerfile")
      : `.dockerfile.${randomBytes(10).toString("hex")}`;
  const own =
    readText(posix.join(directory, `${name}.dockerignore`)) ?? readText(posix.join(directory, ".dockerignore"));
  const patterns = own === undefined ? [] : parseIgnoreFile(own);
  const ignore = parseIgnore(patterns);
  // The build itself reads them; it keeps what is left out from being copied.
  const kept = new Set(
    [name, ".dockerignore", `${name}.dockerignore`].map((file) => Buffer.from(file).toString("latin1")),
  );
  const entries = function* (): Generator<TarOutput> {
    try {
      for (const walked of walk(top, "", ignore, kept)) {
        if (isQuestion && !kept.has(walked.path)) continue;
        if (outside === undefined || walked.path !== ".dockerignore") yield entryOf(walked);
      }
    } catch (cause) {
      throw fileFailure(directory, cause);
    }
    if (outside === undefined) return;
    yield fileOf(name, Buffer.from(outside));
    yield fileOf(".dockerignore", Buffer.from(`${own ?? ""}\n${name}\n`));
  };
  // A Dockerfile from elsewhere is in no directory, and a question is about the Dockerfile alone.
  const asked = outside === undefined && !isQuestion ? { directory } : {};
  return { ...asked, data: writeTar(entries()), dockerfile: name };
};

const maxHead = 512;

/** What stands on standard input: an archive, or a Dockerfile alone. */
const inputContext = async (dockerfile: string | undefined): Promise<BuildContext> => {
  const chunks = readInput();
  const held: Buffer[] = [];
  for (let size = 0; size < maxHead; ) {
    const next = await chunks.next();
    if (next.done === true) break;
    held.push(next.value);
    size += next.value.length;
  }
  const head = Buffer.concat(held);
  const isArchive = compressionOf(head) !== "none" || head.toString("latin1", 257, 262) === "ustar";
  const whole = async function* (): AsyncGenerator<Buffer> {
    yield head;
    yield* chunks;
  };
  if (isArchive) return { data: whole(), dockerfile: dockerfile ?? "Dockerfile" };
  const text = Buffer.concat(await Array.fromAsync(whole()));
  return { data: writeTar([fileOf("Dockerfile", text)]), dockerfile: "Dockerfile" };
};

async function* empty(): AsyncGenerator<Uint8Array> {}

/** The context that the words of the command line mean; `file` is what -f says. A question needs no more than the Dockerfile. */
export const openContext = async (path: string, file: string, isQuestion = false): Promise<BuildContext> => {
  if (isRemote(path)) {
    if (file === "-") throw cliError("remoteDockerfile", {});
    return { data: empty(), dockerfile: file === "" ? "Dockerfile" : file, remote: path };
  }
  if (path === "-") {
    if (file === "-") throw cliError("doubleInput", {});
    return inputContext(file === "" ? undefined : file);
  }
  let status: Stats;
  try {
    status = lstatSync(`${path}/`);
  } catch (cause) {
    throw cliError("noContext", { path }, cause);
  }
  if (!status.isDirectory()) throw cliError("noContext", { path });
  if (file === "") return directoryContext(path, undefined, undefined, isQuestion);
  if (file === "-")
    return directoryContext(path, undefined, Buffer.concat(await Array.fromAsync(readInput())).toString(), isQuestion);
  const relative = posix.relative(posix.resolve(path), posix.resolve(file));
  if (!relative.startsWith("../") && relative !== "..") return directoryContext(path, relative, undefined, isQuestion);
  try {
    return directoryContext(path, undefined, readFileSync(file, "utf8"), isQuestion);
  } catch (cause) {
    throw fileFailure(file, cause);
  }
};
