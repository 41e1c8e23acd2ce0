/** A client whose context stays in its session, as docker asks for a build of BuildKit's by `POST /build?version=2`. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import {
  answerCall,
  codes,
  decodeFrames,
  encodeFrame,
  GrpcError,
  type GrpcMethod,
  unary,
} from "../../src/format/buildkit/grpc.ts";
import { packet, packetTypes, secretAnswer, secretRequest } from "../../src/format/buildkit/messages.ts";
import { cannotRun, Engine } from "../engine.ts";
import { base, printed } from "./contexts.ts";

/** Sends these files, as whoever asks for a directory of the session has them. */
const sendFiles =
  (files: Readonly<Record<string, string>>): GrpcMethod =>
  async ({ stream, headers }, write) => {
    const listOf = (name: string) => (headers[name] === undefined ? undefined : String(headers[name]).split(/, ?/));
    const [follow, exclude] = [listOf("followpaths"), listOf("exclude-patterns")];
    const isWanted = (name: string) => (follow ?? [name]).includes(name) && !(exclude ?? []).includes(name);
    const wanted = Object.entries(files).filter(([name]) => isWanted(name));
    for (const [path, content] of wanted) {
      const stat = { path, mode: 0o644, size: content.length, modTime: 0 };
      write(encodeFrame(packet, { type: packetTypes.stat, stat: { ...empty, ...stat } }));
    }
    write(encodeFrame(packet, { type: packetTypes.stat }));
    for await (const { type, ID } of decodeFrames(packet, stream)) {
      if (type === packetTypes.end) return write(encodeFrame(packet, { type: packetTypes.end }));
      for (const data of [wanted[ID]![1], ""])
        write(encodeFrame(packet, { type: packetTypes.data, ID, data: Buffer.from(data) }));
    }
  };

const empty = { ...{ uid: 0, gid: 0, linkname: "", devmajor: 0, devminor: 0 }, xattrs: new Map<string, Uint8Array>() };

describe("a build whose context is in a session", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  /** Holds afterwards: the daemon can ask for the files and the secret by this session. */
  const openSession = (id: string, files: Readonly<Record<string, string>>, secret: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const headers = { connection: "Upgrade", upgrade: "h2c", "x-docker-expose-session-uuid": id };
      const asking = request({ socketPath: engine.socket, method: "POST", path: "/session", headers });
      const methods = new Map<string, GrpcMethod>([
        ["/moby.filesync.v1.FileSync/DiffCopy", sendFiles(files)],
        [
          "/moby.buildkit.secrets.v1.Secrets/GetSecret",
          unary(secretRequest, secretAnswer, ({ ID }) => {
            if (ID !== "s") throw new GrpcError(codes.notFound, "not found");
            return { data: Buffer.from(secret) };
          }),
        ],
      ]);
      asking.on("error", reject);
      asking.on("upgrade", (_answer, socket: Socket, first: Buffer) => {
        // The daemon speaks first, maybe at once.
        if (first.length > 0) socket.unshift(first);
        const http = performServerHandshake(socket);
        http.on("error", () => socket.destroy());
        http.on("stream", (stream: ServerHttp2Stream, told) => {
          void answerCall(stream, told, methods.get(String(told[":path"])), String);
        });
        resolve(socket);
      });
      asking.end();
    });

  const build = async (query: Readonly<Record<string, string>>) => {
    const asked = new URLSearchParams({ version: "2", remote: "client-session", ...query });
    return (await engine.request("POST", `/build?${asked}`)).body;
  };

  test("has its files and secrets from there, and all that its client asks for", async () => {
    const Dockerfile = `FROM ${base} AS one
ARG WHO
COPY . /c
RUN --mount=type=secret,id=s cat /run/secrets/s > /secret; echo "$WHO" > /who; ulimit -n > /limit
FROM ${base}
`;
    const files = { ".dockerignore": "left", Dockerfile, a: "of the client\n", left: "" };
    const session = await openSession("a-session", files, "kept\n");
    const asked = { session: "a-session", t: "of-session", target: "one", labels: '{"l":"1"}' };
    const limits = { buildargs: '{"WHO":"me"}', ulimits: '[{"Name":"nofile","Soft":1000,"Hard":1000}]' };
    const told = await build({ ...asked, ...limits });
    assert.match(told, /"moby.image.id"/);
    assert.doesNotMatch(told, /"error"/);
    const script = "ls /c; cat /c/a /secret /who /limit";
    assert.equal(
      await printed(engine, "of-session", "sh", "-c", script),
      "Dockerfile\na\nof the client\nkept\nme\n1000\n",
    );
    session.destroy();
  });

  test("is asked for secrets that a variable names, or a step that a base wants", async () => {
    const Dockerfile = `FROM ${base} AS wish
ONBUILD RUN --mount=type=secret,id=s,required=true cp /run/secrets/s /wished
FROM wish
ARG NAME=s
RUN --mount=type=secret,id=$NAME,target=/named,required=true cp /named /kept
`;
    const session = await openSession("named", { Dockerfile }, "kept\n");
    assert.doesNotMatch(await build({ session: "named", t: "named" }), /"error"/);
    assert.equal(await printed(engine, "named", "cat", "/wished", "/kept"), "kept\nkept\n");
    session.destroy();
  });

  test("fails where there is none, or no Dockerfile in it", async () => {
    assert.match(await build({}), /there is no session/);
    const session = await openSession("empty", {}, "");
    assert.match(await build({ session: "empty", dockerfile: "none" }), /open none: no such file or directory/);
    session.destroy();
  });
});
