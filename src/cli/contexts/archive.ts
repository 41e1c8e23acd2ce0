/** A context as one file, as docker writes and reads it: its description, and beneath `tls/` the certificates of its endpoints. */
import { readTar } from "../../format/tar/read.ts";
import { type TarOutput, writeTar } from "../../format/tar/write.ts";
import { cliError } from "../errors.ts";
import { type Certificates, type Context, encodeJson, parseContext } from "./store.ts";

/** As docker: what is larger is no context. */
const MOST = 10 * 1024 * 1024;
const FILE = "meta.json";
/** Docker's archives have no end: the last content is followed by nothing. */
const BLOCK = 512;
const END = 2 * BLOCK;

export const packContext = (context: Context, certificates: Certificates): AsyncIterable<Buffer> => {
  const entries = [fileOf(FILE, Buffer.from(encodeJson(context)), 0o644), directoryOf("tls")];
  for (const [endpoint, files] of Object.entries(certificates)) {
    entries.push(directoryOf(`tls/${endpoint}`));
    for (const [name, content] of Object.entries(files))
      entries.push(fileOf(`tls/${endpoint}/${name}`, content, 0o600));
  }
  return buffersOf(writeTar(entries));
};

async function* buffersOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
}

const directoryOf = (path: string): TarOutput => ({ header: headerOf(`${path}/`, "directory", 0o700, 0) });
const fileOf = (path: string, content: Buffer, mode: number): TarOutput => ({
  header: headerOf(path, "file", mode, content.length),
  content: [content],
});

const headerOf = (path: string, type: "file" | "directory", mode: number, size: number): TarOutput["header"] => ({
  path: Buffer.from(path),
  type,
  mode,
  size,
  uid: 0,
  gid: 0,
  link: Buffer.alloc(0),
  mtime: { seconds: 0n, nanoseconds: 0 },
  major: 0,
  minor: 0,
  xattrs: new Map(),
});

export interface Unpacked {
  readonly context: Context;
  readonly certificates: Certificates;
}

/** What the archive has; throws for one that has anything else. */
export const unpackContext = async (source: AsyncIterable<Buffer>): Promise<Unpacked> => {
  const archive = await wholeOf(source);
  const ended = Buffer.concat([archive, Buffer.alloc(END + BLOCK - (archive.length % BLOCK))]);
  // The only other form that docker reads.
  if (archive.subarray(0, 4).equals(Buffer.from("PK\x03\x04"))) throw cliError("contextZip", {});
  let context: Context | undefined;
  const certificates: Record<string, Record<string, Buffer>> = {};
  for await (const { entry, content } of readTar(chunksOf(ended))) {
    if (entry.type !== "file") continue;
    if (entry.extents.some(({ offset, length }) => offset + length > archive.length)) throw cliError("contextCut", {});
    const path = Buffer.from(entry.path).toString();
    const bytes = Buffer.concat(await Array.fromAsync(content));
    if (path === FILE) {
      context = parseContext(bytes.toString(), path);
      continue;
    }
    const [, endpoint, name] = /^tls\/([^/\\]+)\/([^/\\]+)$/.exec(path) ?? [];
    // Nothing in an archive leads out of the store.
    if (endpoint === undefined || name === undefined || [endpoint, name].some((part) => part.startsWith(".")))
      throw cliError("contextFile", { path });
    certificates[endpoint] = { ...certificates[endpoint], [name]: bytes };
  }
  if (context === undefined) throw cliError("contextEmpty", {});
  return { context, certificates };
};

const wholeOf = async (source: AsyncIterable<Buffer>): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > MOST) throw cliError("contextLarge", {});
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

async function* chunksOf(archive: Buffer): AsyncGenerator<Buffer> {
  yield archive;
}
