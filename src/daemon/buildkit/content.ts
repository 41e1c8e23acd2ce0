/** A store of blobs in the client's directory, as its session serves it: containerd's content service. */
import type { ClientHttp2Stream } from "node:http2";
import type { BlobReader, BlobWriter } from "../../build/cache-request.ts";
import { codes, decodeFrames, encodeFrame, GrpcError } from "../../format/buildkit/grpc.ts";
import {
  contentActions,
  contentRead,
  contentService,
  contentWrite,
  contentWritten,
  fileDataAt,
  storeHeader,
} from "../../format/buildkit/messages.ts";
import { endOf, type Session } from "./session.ts";

const pieceSize = 1024 * 1024;

export const contentStore = (session: Session, store: string): BlobReader & BlobWriter => ({
  async *read({ digest }, signal) {
    const stream = session.open(`${contentService}Read`, { [storeHeader]: store });
    const ended = endOf(stream);
    const leave = (): void => stream.close();
    signal.addEventListener("abort", leave, { once: true });
    try {
      stream.end(encodeFrame(contentRead, { digest }));
      for await (const { data } of decodeFrames(fileDataAt, stream)) yield data;
      await ended;
    } finally {
      signal.removeEventListener("abort", leave);
      stream.close();
    }
  },

  write: ({ digest, size }, content) => {
    const send = async (stream: ClientHttp2Stream, ended: Promise<void>): Promise<void> => {
      const answers = decodeFrames(contentWritten, stream);
      const ask = async (value: Parameters<typeof encodeFrame<typeof contentWrite>>[1]): Promise<void> => {
        stream.write(encodeFrame(contentWrite, value));
        if ((await answers.next()).done !== true) return;
        await ended;
        throw new GrpcError(codes.cancelled, "the client's store has stopped writing");
      };
      await ask({ action: contentActions.stat, ref: digest, total: size, expected: digest });
      let offset = 0;
      for await (const piece of content()) {
        for (let at = 0; at < piece.length; at += pieceSize) {
          const data = piece.subarray(at, at + pieceSize);
          await ask({ action: contentActions.write, offset, data });
          offset += data.length;
        }
      }
      stream.end(encodeFrame(contentWrite, { action: contentActions.commit, total: size, offset, expected: digest }));
      // How the call ends says whether it is kept. The answer before that may be lost: who answers a stream that we could
      // still write to resets it.
    };
    return session.run(`${contentService}Write`, { [storeHeader]: store }, send).catch((error: unknown) => {
      if (!(error instanceof GrpcError) || error.code !== codes.exists) throw error;
    });
  },
});
