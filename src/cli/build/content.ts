/** The stores of blobs that a session gives its daemon: containerd's content service, as far as caches of builds use it. */
import type { IncomingHttpHeaders } from "node:http2";
import { codes, decodeFrames, encodeFrame, GrpcError, type GrpcMethod } from "../../format/buildkit/grpc.ts";
import {
  contentActions,
  contentRead,
  contentService,
  contentWrite,
  contentWritten,
  fileDataAt,
  storeHeader,
} from "../../format/buildkit/messages.ts";
import type { BlobStore } from "./blob-store.ts";

export const contentMethods = (
  stores: ReadonlyMap<string, BlobStore>,
): readonly (readonly [path: string, method: GrpcMethod])[] => [
  [`${contentService}Read`, read(stores)],
  [`${contentService}Write`, write(stores)],
];

const storeOf = (stores: ReadonlyMap<string, BlobStore>, headers: IncomingHttpHeaders): BlobStore => {
  const found = stores.get(String(headers[storeHeader] ?? ""));
  if (found === undefined) throw new GrpcError(codes.notFound, "there is no such store");
  return found;
};

const read =
  (stores: ReadonlyMap<string, BlobStore>): GrpcMethod =>
  async ({ stream, headers }, answer) => {
    const store = storeOf(stores, headers);
    for await (const { digest } of decodeFrames(contentRead, stream)) {
      if (!store.has(digest)) throw new GrpcError(codes.notFound, `${digest}: not found`);
      let offset = 0;
      for await (const data of store.read(digest)) {
        answer(encodeFrame(fileDataAt, { offset, data }));
        offset += data.length;
      }
      return;
    }
  };

/** Each request is answered; the first says what is to come, the last that it was all. */
const write =
  (stores: ReadonlyMap<string, BlobStore>): GrpcMethod =>
  async ({ stream, headers }, answer) => {
    const store = storeOf(stores, headers);
    const requests = decodeFrames(contentWrite, stream);
    const { value: first } = await requests.next();
    if (first === undefined) return;
    if (store.has(first.expected)) throw new GrpcError(codes.exists, `${first.expected}: already exists`);
    answer(encodeFrame(contentWritten, { action: contentActions.stat, total: first.total }));
    let offset = 0;
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for await (const { action, data } of requests) {
        offset += data.length;
        yield data;
        if (action === contentActions.commit) return;
        answer(encodeFrame(contentWritten, { action, offset }));
      }
      throw new GrpcError(codes.cancelled, "the blob ended in the middle");
    };
    await store.write(first.expected, pieces());
    const { total, expected: digest } = first;
    answer(encodeFrame(contentWritten, { action: contentActions.commit, offset, total, digest }));
  };
