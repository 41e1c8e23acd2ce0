/** Directories that a session gives its daemon: fsutil's protocol, a list first, then the files that are asked for. */
import type { IncomingHttpHeaders } from "node:http2";
import { posix } from "node:path";
import { drained } from "../../base/drained.ts";
import {
  codes,
  decodeFrames,
  encodeFrame,
  encodeFrames,
  GrpcError,
  type GrpcMethod,
} from "../../format/buildkit/grpc.ts";
import { directorySync, packet, packetTypes } from "../../format/buildkit/messages.ts";
import { encodeMode } from "../../format/buildkit/modes.ts";
import { parseIgnore } from "../../format/ignore.ts";
import { contentOf, targetOf, topOf, type Walked, walk, walkedAt } from "./context.ts";

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
    const told = entries.map((entry) => ({ type: packetTypes.stat, stat: statOf(entry) }));
    write(encodeFrames(packet, [...told, { type: packetTypes.stat }]));
    for await (const { type, ID } of decodeFrames(packet, stream)) {
      if (type === packetTypes.end) break;
      if (type !== packetTypes.request) throw new GrpcError(codes.invalid, "something else than a file is asked for");
      const entry = entries[ID];
      if (entry === undefined) throw new GrpcError(codes.invalid, "a file is asked for that was not listed");
      for (const data of contentOf(entry)) {
        write(encodeFrame(packet, { type: packetTypes.data, ID, data }));
        if (stream.writableNeedDrain) await drained(stream);
      }
      write(encodeFrame(packet, { type: packetTypes.data, ID }));
    }
    write(encodeFrame(packet, { type: packetTypes.end }));
  };

/** What of it the daemon wants to have. */
const list = (directory: string, headers: IncomingHttpHeaders): readonly Walked[] => {
  const ignore = parseIgnore(valuesOf(headers, "exclude-patterns"));
  const wanted = valuesOf(headers, "followpaths");
  const top = topOf(directory);
  if (wanted.length === 0) return [...walk(top, "", ignore, new Set())];
  // What is asked for by name is not looked for in all of it; nothing above the directory is asked for.
  const inside = wanted.map((path) => posix.normalize(path)).filter((path) => !/^(\.\.)?(\/|$)/.test(path));
  return inside.flatMap((path) => walkedAt(top, Buffer.from(path, "utf8").toString("latin1")) ?? []);
};

/** In an image it is root's. */
const nobodys = { uid: 0, gid: 0, devmajor: 0, devminor: 0, xattrs: new Map<string, Uint8Array>() };

const statOf = (walked: Walked) => ({
  ...nobodys,
  path: Buffer.from(walked.path, "latin1").toString("utf8"),
  mode: encodeMode(walked.type, walked.status.mode & 0o7777),
  size: walked.type === "file" ? walked.status.size : 0,
  modTime: Math.floor(walked.status.mtimeMs * 1_000_000),
  linkname: Buffer.from(targetOf(walked)).toString("utf8"),
});
