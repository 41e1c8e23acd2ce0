import assert from "node:assert/strict";
import { once } from "node:events";
import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import { answerCall, codes, decodeFrames, GrpcError, type GrpcMethod } from "../../format/buildkit/grpc.ts";
import { fileData } from "../../format/buildkit/messages.ts";
import { Session } from "./session.ts";
import { sendArchive } from "./uploads.ts";

/** A session whose client answers every call so. */
const openSession = async (method: GrpcMethod) => {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address() as { readonly port: number };
  const socket = connect(address.port, "127.0.0.1");
  const [client] = (await once(server, "connection")) as [Socket];
  performServerHandshake(client).on("stream", (stream: ServerHttp2Stream, headers) => {
    void answerCall(stream, headers, method, String);
  });
  return {
    session: new Session(socket),
    [Symbol.dispose]: () => {
      for (const one of [socket, client]) one.destroy();
      server.close();
    },
  };
};

const readAll: GrpcMethod = async ({ stream }) => {
  for await (const _ of decodeFrames(fileData, stream));
};

describe("an archive that is sent to a client", () => {
  test("and cannot be read to its end fails by that", async () => {
    using opened = await openSession(readAll);
    const archive = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("begin");
      throw new Error("the disk is gone");
    };
    await assert.rejects(sendArchive(opened.session, 0, {}, archive()), /the disk is gone/);
  });

  test("fails by what the client says", async () => {
    using opened = await openSession(() => Promise.reject(new GrpcError(codes.unknown, "no room left")));
    const archive = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.alloc(1024 * 1024);
    };
    await assert.rejects(sendArchive(opened.session, 0, {}, archive()), /no room left/);
  });

  test("waits for a slow client with no more than one listener", async () => {
    const warned: string[] = [];
    const warn = (warning: Error): void => void warned.push(String(warning));
    process.on("warning", warn);
    using opened = await openSession(readAll);
    const archive = async function* (): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 40; count++) yield Buffer.alloc(1024 * 1024);
    };
    await sendArchive(opened.session, 0, {}, archive());
    process.off("warning", warn);
    assert.deepEqual(warned, []);
  });
});
