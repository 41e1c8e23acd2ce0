/** Directories that a session gives its daemon: fsutil's protocol, a list first, then the files that are asked for. */
import type { IncomingHttpHeaders } from "node:http2";
import { codes, decodeFrames, encodeFrame, GrpcError, type GrpcMethod } from "../../format/buildkit/grpc.ts";
import { directorySync, packet, packetTypes } from "../../format/buildkit/messages.ts";
import { encodeMode } from "../../format/buildkit/modes.ts";
import { parseIgnore } from "../../format/ignore.ts";
import type { TarOutput } from "../../format/tar/write.ts";
import { walk } from "./context.ts";

/** By the names that the daemon calls them. */
export const directoryMethods = (
  directories: ReadonlyMap<string, string>,
): readonly (readonly [path: string, method: GrpcMethod])[] => [[directorySync, send(directories)]];

/** Values of a header that may be there more than once; its sender has encoded them. */
const valuesOf = (headers: IncomingHttpHeaders, name: string): readonly string[] =>
  [headers[name] ?? []]
    .flat()
    .flatMap((text) => text.split(","))
    .map((text) => decodeURIComponent(text.trim()));

const send =
  (directories: ReadonlyMap<string, string>): GrpcMethod =>
  async ({ stream, headers }, write) => {
    const directory = directories.get(String(headers["dir-name"] ?? ""));
    if (directory === undefined) throw new GrpcError(codes.notFound, "there is no such directory");
    const entries = list(directory, headers);
    for (const { header } of entries) write(encodeFrame(packet, { type: packetTypes.stat, stat: statOf(header) }));
    write(encodeFrame(packet, { type: packetTypes.stat }));
    for await (const { type, ID } of decodeFrames(packet, stream)) {
      if (type === packetTypes.end) break;
      if (type !== packetTypes.request) throw new GrpcError(codes.invalid, "something else than a file is asked for");
      const entry = entries[ID];
      if (entry === undefined) throw new GrpcError(codes.invalid, "a file is asked for that was not listed");
      for await (const data of entry.content ?? []) {
        write(encodeFrame(packet, { type: packetTypes.data, ID, data }));
        if (stream.writableNeedDrain) await drained(stream);
      }
      write(encodeFrame(packet, { type: packetTypes.data, ID }));
    }
    write(encodeFrame(packet, { type: packetTypes.end }));
  };

const drained = (stream: NodeJS.WritableStream): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ["drain", "close"]) stream.once(event, () => resolve());
  });

/** What of it the daemon wants to have. */
const list = (directory: string, headers: IncomingHttpHeaders): readonly TarOutput[] => {
  const ignore = parseIgnore(valuesOf(headers, "exclude-patterns"));
  const wanted = new Set(valuesOf(headers, "followpaths"));
  const top = Buffer.from(directory, "utf8").toString("latin1");
  const all = [...walk(top, "", ignore, new Set())];
  return wanted.size === 0 ? all : all.filter(({ header }) => wanted.has(Buffer.from(header.path).toString("utf8")));
};

const statOf = ({ path, type, mode, size, link, mtime }: TarOutput["header"]) => ({
  path: Buffer.from(path).toString("utf8").replace(/\/$/, ""),
  mode: encodeMode(type, mode),
  ...{ uid: 0, gid: 0, devmajor: 0, devminor: 0, xattrs: new Map() },
  size,
  modTime: Number(mtime.seconds) * 1_000_000_000 + mtime.nanoseconds,
  linkname: Buffer.from(link).toString("utf8"),
});
