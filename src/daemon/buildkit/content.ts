/** A store of blobs in the client's directory, as its session serves it: containerd's content service. */
import type { ClientHttp2Stream } from "node:http2";
import type { BlobReader, BlobWriter } from "../../build/cache-request.ts";
import { codes, decodeFrames, encodeFrame, GrpcError } from "../../format/buildkit/grpc.ts";
import {
  contentActions,
  contentRead,
  contentWrite,
  contentWritten,
  fileDataAt,
} from "../../format/buildkit/messages.ts";
import { endOf, type Session } from "./session.ts";

const service = "/containerd.services.content.v1.Content/";
const pieceSize = 1024 * 1024;

const open = (session: Session, method: string, store: string): ClientHttp2Stream =>
  session.open(`${service}${method}`, { "buildkit-attachable-store-id": store });

export const contentStore = (session: Session, store: string): BlobReader & BlobWriter => ({
  async *read({ digest }, signal) {
    const stream = open(session, "Read", store);
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

  async write({ digest, size }, content) {
    const stream = open(session, "Write", store);
    const ended = endOf(stream);
    const answers = decodeFrames(contentWritten, stream);
    const ask = async (value: Parameters<typeof encodeFrame<typeof contentWrite>>[1]): Promise<void> => {
      stream.write(encodeFrame(contentWrite, value));
      if ((await answers.next()).done !== true) return;
      await ended;
      throw new GrpcError(codes.cancelled, "the client's store has stopped writing");
    };
    try {
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
      // How the call ended says whether it is kept. The answer before that may be lost: who answers a stream that we could
      // still write to resets it.
      await ended;
    } catch (error) {
      const reason = await ended.then(
        () => error,
        (why: unknown) => why,
      );
      if (reason instanceof GrpcError && reason.code === codes.exists) return;
      throw reason;
    } finally {
      stream.close();
    }
  },
});
