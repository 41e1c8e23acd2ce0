/** What was built, sent to the client that asked for it: as one file, or as a directory. */
import type { ClientHttp2Stream } from "node:http2";
import { codes, decodeFrames, encodeFrame, GrpcError } from "../../format/buildkit/grpc.ts";
import { exporterHeader, fileData, fileSend, nothing, packet, packetTypes } from "../../format/buildkit/messages.ts";
import { encodeMode } from "../../format/buildkit/modes.ts";
import type { Tree, TreePath } from "../../image/tree.ts";
import { drained } from "../wire.ts";
import type { Session } from "./session.ts";

const pieceSize = 1024 * 1024;

/** Waits while the client has more to read than it has read. */
const write = async (stream: ClientHttp2Stream, frame: Uint8Array): Promise<void> => {
  if (stream.destroyed) throw new GrpcError(codes.cancelled, "the client has gone");
  if (!stream.write(frame)) await drained(stream);
};

/** Holds afterwards: the client has written the file. */
export const sendArchive = (
  session: Session,
  exporter: number,
  metadata: Readonly<Record<string, string>>,
  archive: AsyncIterable<Uint8Array>,
): Promise<void> => {
  const told = Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`exporter-md-${name}`, value]));
  return session.run(fileSend, { ...told, [exporterHeader]: String(exporter) }, async (stream) => {
    for await (const piece of archive)
      for (let at = 0; at < piece.length; at += pieceSize)
        await write(stream, encodeFrame(fileData, { data: piece.subarray(at, at + pieceSize) }));
    stream.end();
    for await (const _ of decodeFrames(nothing, stream));
  });
};

/** Holds afterwards: the client has every file of the tree in its directory. */
export const sendTree = (session: Session, exporter: number, tree: Tree): Promise<void> =>
  session.run(fileSend, { [exporterHeader]: String(exporter) }, async (stream) => {
    const entries = [...tree.walk()];
    const told = list(stream, entries);
    told.catch(() => {});
    for await (const { type, ID, data } of decodeFrames(packet, stream)) {
      if (type === packetTypes.error) throw new GrpcError(codes.unknown, Buffer.from(data).toString());
      if (type === packetTypes.end) break;
      if (type !== packetTypes.request)
        throw new GrpcError(codes.invalid, "the client asks for something else than files");
      const entry = entries[ID];
      if (entry === undefined) throw new GrpcError(codes.invalid, "the client asks for a file that it was not told of");
      for (const piece of tree.contents(entry))
        await write(stream, encodeFrame(packet, { type: packetTypes.data, ID, data: piece }));
      await write(stream, encodeFrame(packet, { type: packetTypes.data, ID }));
    }
    await told;
    stream.end(encodeFrame(packet, { type: packetTypes.end }));
    for await (const _ of decodeFrames(packet, stream));
  });

const list = async (stream: ClientHttp2Stream, entries: readonly TreePath[]): Promise<void> => {
  const linked = new Map<string, string>();
  for (const entry of entries) {
    const first = linked.get(entry.identity);
    if (first === undefined && entry.nlink > 1) linked.set(entry.identity, entry.path);
    await write(stream, encodeFrame(packet, { type: packetTypes.stat, stat: statOf(entry, first) }));
  }
  await write(stream, encodeFrame(packet, { type: packetTypes.stat }));
};

const text = (name: string): string => Buffer.from(name, "latin1").toString("utf8");

const statOf = (entry: TreePath, link: string | undefined) => {
  const { type, mode, uid, gid, size, major, minor, mtime, xattrs, target } = entry;
  return {
    path: text(entry.path.slice(1)),
    mode: encodeMode(type, mode),
    ...{ uid, gid, devmajor: major, devminor: minor, xattrs: new Map(xattrs) },
    size: type === "file" && link === undefined ? size : 0,
    // Nanoseconds: more than a number has exactly, and fractions of a microsecond are lost.
    modTime: Number(mtime.seconds) * 1_000_000_000 + mtime.nanoseconds,
    linkname: link === undefined ? Buffer.from(target).toString("utf8") : text(link.slice(1)),
  };
};
