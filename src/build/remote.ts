/** A context that the daemon fetches by itself: a git repository, an archive on a web server, or a Dockerfile there. */
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { compressionOf } from "../format/compression.ts";
import { writeTar } from "../format/tar/write.ts";
import type { Tree } from "../image/tree.ts";
import { isTarHeader } from "./archives.ts";
import { storeArchive } from "./context.ts";
import { download, isUrl, readPieces } from "./downloads.ts";
import { buildError } from "./errors.ts";
import { hidePassword, parseGitAddress } from "./git/address.ts";
import { fetchRepository } from "./git/fetch.ts";

export interface RemoteOptions {
  /** Exists, and is the build's own. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly keepsGitDirectory: boolean;
}

export interface RemoteContext {
  readonly tree: Tree;
  /** What is no archive is the Dockerfile itself, and all there is. */
  readonly text?: string;
}

export const isRemote = (address: string): boolean => isUrl(address) || parseGitAddress(address) !== undefined;

const maxDockerfile = 16 * 1024 * 1024;
const headSize = 512;

/** Holds afterwards: the context is an archive beneath the directory. */
export const fetchContext = async (address: string, options: RemoteOptions): Promise<RemoteContext> => {
  const { directory, signal } = options;
  const git = parseGitAddress(address);
  if (git !== undefined) {
    const keepsGitDirectory = options.keepsGitDirectory || git.keepsGitDirectory;
    return { tree: (await fetchRepository(git, { ...options, keepsGitDirectory })).tree };
  }
  if (!isUrl(address)) throw buildError("remoteContext", { url: hidePassword(address) });
  const { path, size } = await download(address, { directory, signal });
  const place = join(directory, "files");
  await mkdir(place, { mode: 0o700 });
  try {
    if (await isArchive(path)) return { tree: (await storeArchive(readPieces(path), place, signal)).tree };
    const text = size > maxDockerfile ? [] : await Array.fromAsync(readPieces(path));
    return { tree: (await storeArchive(writeTar([]), place)).tree, text: Buffer.concat(text).toString("utf8") };
  } finally {
    await rm(path, { force: true });
  }
};

const isArchive = async (path: string): Promise<boolean> => {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headSize), 0, headSize, 0);
  const head = buffer.subarray(0, bytesRead);
  return compressionOf(head) !== "none" || isTarHeader(head);
};
