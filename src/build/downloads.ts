/** `ADD https://…`: what a server sends, as a file of the build's. */
import { createHash } from "node:crypto";
import { posix } from "node:path";
import type { Tree } from "../image/tree.ts";
import { storeFile } from "./context.ts";
import { buildError } from "./errors.ts";

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);

const maxSize = 4 * 1024 ** 3;

/** The last name of the URL's path: what a server calls it does not count, it may say anything. */
export const fileNameOf = (url: URL): string => {
  const name = posix.basename(decodeURIComponent(url.pathname));
  const isName = name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
  return isName && !name.startsWith(".wh.") ? name : "download";
};

/** Holds afterwards: the file is in an archive in the directory, and is what the checksum says. */
export const downloadArchive = async (
  text: string,
  checksum: string | undefined,
  directory: string,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly tree: Tree }> => {
  const url = new URL(text);
  if (url.pathname.endsWith(".git")) throw buildError("notYet", { what: "ADD of a git repository" });
  const response = await fetch(url, { signal, redirect: "follow" }).catch((cause: unknown) => {
    throw buildError("download", { url: text, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  });
  if (!response.ok) throw buildError("download", { url: text, reason: `status ${response.status}` });
  const length = Number(response.headers.get("content-length") ?? "0");
  if (length > maxSize) throw buildError("download", { url: text, reason: `it is larger than ${maxSize} bytes` });
  const content = new Uint8Array(await response.arrayBuffer());
  const found = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  if (checksum !== undefined && checksum !== found)
    throw buildError("checksum", { url: text, found, expected: checksum });
  const modified = Date.parse(response.headers.get("last-modified") ?? "") || 0;
  const name = fileNameOf(url);
  const time = { seconds: BigInt(Math.floor(modified / 1000)), nanoseconds: 0 };
  const tree = await storeFile({ name, content, mode: 0o600, time }, directory);
  return { name, tree };
};
