/** `ADD https://…`: what a server sends, as a file of the build's. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open as openFile, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { errnoOf, PierError } from "../base/errors.ts";
import type { TarTime } from "../format/tar/entry.ts";
import type { Tree } from "../image/tree.ts";
import { storeFile } from "./context.ts";
import { buildError } from "./errors.ts";

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);

const maxSize = 4 * 1024 ** 3;
const maxRedirects = 10;
const redirects = new Set([301, 302, 303, 307, 308]);

/** The last name of the URL's path: what a server calls it does not count, it may say anything. */
export const fileNameOf = (url: URL): string => {
  const name = posix.basename(decodeURIComponent(url.pathname));
  const isName = name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
  return isName && !name.startsWith(".wh.") ? name : "download";
};

interface DownloadOptions {
  readonly checksum?: string | undefined;
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Bytes. */
  readonly limit?: number;
}

export interface Download {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly time: TarTime;
}

/** Holds afterwards: the file `download` in the directory is what the server sends, and what the checksum says. */
export const download = async (text: string, options: DownloadOptions): Promise<Download> => {
  const { checksum, directory, signal, limit = maxSize } = options;
  const url = new URL(text);
  const path = join(directory, "download");
  const response = await open(url, signal);
  const { digest, size } = await store(response, path, limit, text);
  if (checksum !== undefined && checksum !== digest)
    throw buildError("checksum", { url: text, found: digest, expected: checksum });
  const modified = Date.parse(response.headers.get("last-modified") ?? "") || 0;
  const time = { seconds: BigInt(Math.floor(modified / 1000)), nanoseconds: 0 };
  return { name: fileNameOf(url), path, size, time };
};

/** The bytes of a file, as they are read. */
export const readPieces = (path: string): AsyncIterable<Uint8Array> =>
  createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>;

/** Holds afterwards: the file is in an archive in the directory, and is what the checksum says. */
export const downloadArchive = async (
  text: string,
  options: DownloadOptions,
): Promise<{ readonly name: string; readonly tree: Tree }> => {
  const { directory } = options;
  try {
    const { name, path, size, time } = await download(text, options);
    return { name, tree: await storeFile({ name, content: readPieces(path), size, mode: 0o600, time }, directory) };
  } finally {
    await rm(join(directory, "download"), { force: true });
  }
};

/** The answer that is not a redirect. */
const open = async (first: URL, signal: AbortSignal): Promise<Response> => {
  let url = first;
  for (let count = 0; count <= maxRedirects; count++) {
    const response = await fetch(url, { signal, redirect: "manual" }).catch((cause: unknown) => {
      throw unreachable(first.href, cause);
    });
    const location = response.headers.get("location");
    if (!redirects.has(response.status) || location === null) {
      if (response.ok) return response;
      await response.body?.cancel();
      throw buildError("download", { url: first.href, reason: `status ${response.status}` });
    }
    await response.body?.cancel();
    if (!URL.canParse(location, url))
      throw buildError("download", { url: first.href, reason: "a redirect to nowhere" });
    url = new URL(location, url);
    if (!isUrl(url.href)) throw buildError("download", { url: first.href, reason: `redirected to ${url.protocol}` });
  }
  throw buildError("download", { url: first.href, reason: `more than ${maxRedirects} redirects` });
};

/** Counted as it comes: servers may say no length, or another one, and what is compressed on the way is longer here. */
const store = async (
  response: Response,
  path: string,
  limit: number,
  url: string,
): Promise<{ readonly digest: string; readonly size: number }> => {
  const hash = createHash("sha256");
  let size = 0;
  await using file = await openFile(path, "wx", 0o600);
  const pieces = (response.body ?? []) as AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  try {
    for await (const piece of pieces) {
      size += piece.length;
      if (size > limit) throw buildError("download", { url, reason: `it is larger than ${limit} bytes` });
      hash.update(piece);
      await file.writeFile(piece);
    }
  } catch (cause) {
    throw cause instanceof PierError || errnoOf(cause) === "ENOSPC" ? cause : unreachable(url, cause);
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
};

const unreachable = (url: string, cause: unknown): Error =>
  buildError("download", { url, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
