/** Directories that a session gives its daemon: fsutil's protocol, a list first, then the files that are asked for. */
import type { IncomingHttpHeaders } from "node:http2";
import { posix } from "node:path";
import { drained } from "../../base/drained.ts";
import { codes, decodeFrames, encodeFrame, GrpcError, type GrpcMethod } from "../../format/buildkit/grpc.ts";
import { directorySync, packet, packetTypes } from "../../format/buildkit/messages.ts";
import { encodeMode } from "../../format/buildkit/modes.ts";
import { parseIgnore } from "../../format/ignore.ts";
import { entryAt, type WalkedEntry, walk } from "./context.ts";

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
    // In few writes: each of its own would be a frame of HTTP/2.
    const told = entries.map((entry) => encodeFrame(packet, { type: packetTypes.stat, stat: statOf(entry) }));
    write(Buffer.concat([...told, encodeFrame(packet, { type: packetTypes.stat })]));
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

/** What of it the daemon wants to have. */
const list = (directory: string, headers: IncomingHttpHeaders): readonly WalkedEntry[] => {
  const ignore = parseIgnore(valuesOf(headers, "exclude-patterns"));
  const wanted = valuesOf(headers, "followpaths");
  const top = Buffer.from(directory, "utf8").toString("latin1");
  if (wanted.length === 0) return [...walk(top, "", ignore, new Set())];
  // What is asked for by name is not looked for in all of it; nothing above the directory is asked for.
  const inside = wanted.map((path) => posix.normalize(path)).filter((path) => !/^(\.\.)?(\/|$)/.test(path));
  return inside.flatMap((path) => entryAt(top, Buffer.from(path, "utf8").toString("latin1")) ?? []);
};

const statOf = ({ header: { path, type, mode, size, link }, modified }: WalkedEntry) => ({
  path: Buffer.from(path).toString("utf8").replace(/\/$/, ""),
  mode: encodeMode(type, mode),
  ...{ uid: 0, gid: 0, devmajor: 0, devminor: 0, xattrs: new Map() },
  size,
  modTime: Math.floor(modified * 1_000_000),
  linkname: Buffer.from(link).toString("utf8"),
});
