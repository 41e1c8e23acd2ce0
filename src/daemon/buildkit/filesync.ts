/** A directory of the client's, as the tar that a build takes: what it lists first, then the contents, file by file. */

import type { ClientHttp2Stream } from "node:http2";
import { codes, decodeFrames, encodeFrame, GrpcError } from "../../format/buildkit/grpc.ts";
import { directorySync, packet, packetTypes } from "../../format/buildkit/messages.ts";
import { goModes } from "../../format/buildkit/modes.ts";
import type { Message } from "../../format/protobuf.ts";
import type { TarEntryType } from "../../format/tar/entry.ts";
import { type TarHeader, type TarOutput, writeTar } from "../../format/tar/write.ts";
import { endOf, type Session } from "./session.ts";

export interface SyncOptions {
  /** `context` or `dockerfile`. */
  readonly name: string;
  readonly exclude?: readonly string[];
  /** These alone, links followed. */
  readonly follow?: readonly string[];
}

const has = (mode: number, bit: number): boolean => Math.floor(mode / bit) % 2 === 1;

const typeOf = (mode: number): TarEntryType | undefined => {
  if (has(mode, goModes.directory)) return "directory";
  if (has(mode, goModes.symlink)) return "symlink";
  if (has(mode, goModes.fifo)) return "fifo";
  return has(mode, goModes.device) || has(mode, goModes.socket) ? undefined : "file";
};

const permissions = (mode: number): number =>
  (mode % 512) +
  (has(mode, goModes.setuid) ? 0o4000 : 0) +
  (has(mode, goModes.setgid) ? 0o2000 : 0) +
  (has(mode, goModes.sticky) ? 0o1000 : 0);

type Stat = NonNullable<(typeof packet)["stat"][1] extends { initial: () => infer T } ? T : never>;

const headerOf = (stat: Stat): TarHeader | undefined => {
  const type = typeOf(stat.mode);
  if (type === undefined) return undefined;
  const isLink = type === "file" && stat.linkname !== "";
  const nanoseconds = BigInt(Math.trunc(stat.modTime));
  return {
    path: Buffer.from(type === "directory" ? `${stat.path}/` : stat.path),
    type: isLink ? "hardlink" : type,
    mode: permissions(stat.mode),
    ...{ uid: 0, gid: 0, major: 0, minor: 0, xattrs: new Map() },
    size: type === "file" && !isLink ? stat.size : 0,
    mtime: { seconds: nanoseconds / 1_000_000_000n, nanoseconds: Number(nanoseconds % 1_000_000_000n) },
    link: Buffer.from(stat.linkname),
  };
};

/** The archive of the directory that the client calls so. */
export const syncDirectory = (session: Session, options: SyncOptions): AsyncGenerator<Uint8Array> =>
  writeTar(entries(session, options));

async function* entries(session: Session, options: SyncOptions): AsyncGenerator<TarOutput> {
  const directory = new SyncedDirectory(session, options);
  const headers = await directory.list();
  yield* directory.read(headers.flatMap((header, place) => (header === undefined ? [] : [place])));
}

/** One call: the client lists the directory, and gives the files that are asked for. */
export class SyncedDirectory {
  readonly #stream: ClientHttp2Stream;
  readonly #ended: Promise<void>;
  readonly #packets: AsyncGenerator<Message<typeof packet>>;
  #headers: readonly (TarHeader | undefined)[] = [];

  constructor(session: Session, { name, exclude = [], follow = [] }: SyncOptions) {
    this.#stream = session.open(directorySync, {
      "dir-name": name,
      ...(exclude.length === 0
        ? {}
        : { "exclude-patterns": exclude.map(encodeURIComponent), "exclude-patterns-encoded": "1" }),
      ...(follow.length === 0 ? {} : { followpaths: follow.map(encodeURIComponent), "followpaths-encoded": "1" }),
    });
    this.#ended = endOf(this.#stream);
    this.#packets = decodeFrames(packet, this.#stream);
  }

  /** What is in it, in the client's order; undefined for what cannot be in an image. */
  async list(): Promise<readonly (TarHeader | undefined)[]> {
    const headers: (TarHeader | undefined)[] = [];
    try {
      for (;;) {
        const { type, stat } = await this.#next();
        if (type !== packetTypes.stat)
          throw new GrpcError(codes.invalid, "the client sends files that it did not list");
        if (stat === undefined) break;
        headers.push(headerOf(stat));
      }
    } catch (error) {
      this.#stream.close();
      throw error;
    }
    this.#headers = headers;
    return headers;
  }

  /** These entries, by their places in the list, with contents; then the call is over. */
  async *read(places: readonly number[]): AsyncGenerator<TarOutput> {
    try {
      for (const ID of places) {
        const header = this.#headers[ID]!;
        if (header.type !== "file" || header.size === 0) {
          yield { header };
          continue;
        }
        this.#stream.write(encodeFrame(packet, { type: packetTypes.request, ID }));
        yield { header, content: contentOf(() => this.#next()) };
      }
      this.#stream.write(encodeFrame(packet, { type: packetTypes.end }));
      const confirmed = async (): Promise<void> => {
        for (let over = false; !over; ) over = (await this.#next()).type === packetTypes.end;
      };
      // The end of the call says the same as the client's last word, and may be seen before it.
      await Promise.race([this.#ended, confirmed().catch(() => this.#ended)]);
      this.#stream.end();
    } finally {
      this.#stream.close();
    }
  }

  async #next(): Promise<Message<typeof packet>> {
    const found = await this.#packets.next().catch(async (error: unknown) => {
      // The client's own words, where it had any.
      await this.#ended;
      throw error;
    });
    if (found.done === true) {
      await this.#ended;
      throw new GrpcError(codes.cancelled, "the client's files ended in the middle");
    }
    if (found.value.type === packetTypes.error)
      throw new GrpcError(codes.unknown, Buffer.from(found.value.data).toString());
    return found.value;
  }
}

async function* contentOf(
  next: () => Promise<{ readonly type: number; readonly data: Uint8Array }>,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { type, data } = await next();
    if (type !== packetTypes.data) throw new GrpcError(codes.invalid, "the client sends something else than a file");
    if (data.length === 0) return;
    yield data;
  }
}
