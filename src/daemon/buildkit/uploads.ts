/** What was built, sent to the client that asked for it: as one file, or as a directory. */
import type { ClientHttp2Stream } from "node:http2";
import { drained } from "../../base/drained.ts";
import type { DeliveredTree } from "../../build/outputs.ts";
import { codes, decodeFrames, encodeFrame, GrpcError } from "../../format/buildkit/grpc.ts";
import { exporterHeader, fileData, fileSend, nothing, packet, packetTypes } from "../../format/buildkit/messages.ts";
import { encodeMode } from "../../format/buildkit/modes.ts";
import type { Tree, TreePath } from "../../image/tree.ts";
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

type Stat = ReturnType<typeof statOf>;

/** What the client is told of, and where its content is. */
interface SentEntry {
  readonly stat: Stat;
  readonly file?: { readonly tree: Tree; readonly entry: TreePath };
}

/** Holds afterwards: the client has every file of the trees in its directory. */
export const sendTrees = (session: Session, exporter: number, trees: readonly DeliveredTree[]): Promise<void> =>
  session.run(fileSend, { [exporterHeader]: String(exporter) }, async (stream) => {
    // In the order in which clients compare them with what is there.
    const sorted = trees.toSorted((a, b) => (a.directory < b.directory ? -1 : 1));
    const entries = sorted.flatMap(entriesOf);
    const told = list(stream, entries);
    told.catch(() => {});
    for await (const { type, ID, data } of decodeFrames(packet, stream)) {
      if (type === packetTypes.error) throw new GrpcError(codes.unknown, Buffer.from(data).toString());
      if (type === packetTypes.end) break;
      if (type !== packetTypes.request)
        throw new GrpcError(codes.invalid, "the client asks for something else than files");
      const file = entries[ID]?.file;
      if (file === undefined) throw new GrpcError(codes.invalid, "the client asks for a file that it was not told of");
      for (const piece of file.tree.contents(file.entry))
        await write(stream, encodeFrame(packet, { type: packetTypes.data, ID, data: piece }));
      await write(stream, encodeFrame(packet, { type: packetTypes.data, ID }));
    }
    await told;
    stream.end(encodeFrame(packet, { type: packetTypes.end }));
    for await (const _ of decodeFrames(packet, stream));
  });

const entriesOf = ({ directory, tree }: DeliveredTree): readonly SentEntry[] => {
  const linked = new Map<string, string>();
  const prefix = directory === "" ? "" : `${directory}/`;
  const below = [...tree.walk()].map((entry): SentEntry => {
    const path = `${prefix}${text(entry.path.slice(1))}`;
    const first = linked.get(entry.identity);
    if (first === undefined && entry.nlink > 1) linked.set(entry.identity, path);
    return { stat: statOf(entry, path, first), file: { tree, entry } };
  });
  return directory === "" ? below : [{ stat: directoryStat(directory) }, ...below];
};

const directoryStat = (path: string): Stat => ({
  ...{ path, mode: encodeMode("directory", 0o755), uid: 0, gid: 0, devmajor: 0, devminor: 0 },
  ...{ xattrs: new Map(), size: 0, modTime: 0, linkname: "" },
});

const list = async (stream: ClientHttp2Stream, entries: readonly SentEntry[]): Promise<void> => {
  for (const { stat } of entries) await write(stream, encodeFrame(packet, { type: packetTypes.stat, stat }));
  await write(stream, encodeFrame(packet, { type: packetTypes.stat }));
};

const text = (name: string): string => Buffer.from(name, "latin1").toString("utf8");

const statOf = (entry: TreePath, path: string, link: string | undefined) => {
  const { type, mode, uid, gid, size, major, minor, mtime, xattrs, target } = entry;
  return {
    path,
    mode: encodeMode(type, mode),
    ...{ uid, gid, devmajor: major, devminor: minor, xattrs: new Map(xattrs) },
    size: type === "file" && link === undefined ? size : 0,
    // Nanoseconds: more than a number has exactly, and fractions of a microsecond are lost.
    modTime: Number(mtime.seconds) * 1_000_000_000 + mtime.nanoseconds,
    linkname: link ?? Buffer.from(target).toString("utf8"),
  };
};
