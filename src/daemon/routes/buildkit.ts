/** BuildKit's own protocol: HTTP/2 on a connection that was HTTP/1, one way to ask the daemon, one to be asked by it. */
import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { nativeConnect } from "../../base/platform.ts";
import { answerCall } from "../../format/buildkit/grpc.ts";
import { sentenceOf } from "../buildkit/builds.ts";
import type { Control } from "../buildkit/control.ts";
import { daemonError } from "../errors.ts";
import type { Hijacker } from "../hijack.ts";

const grpcType = "application/grpc";

export const grpc: Hijacker = ({ services }) => ({
  type: grpcType,
  input: true,
  run: (client) => serveControl(services.buildkit.control, client),
});

export const session: Hijacker = ({ services, request }) => {
  // There HTTP/2 cannot be spoken as a client on a connection that was upgraded.
  if (nativeConnect === undefined) throw daemonError("noSessions", {});
  return {
    type: grpcType,
    input: true,
    run: (client) => {
      const told = (name: string): string => String(request.headers[`x-docker-expose-session-${name}`] ?? "");
      return services.buildkit.sessions.serve(told("uuid"), client, told("sharedkey"));
    },
  };
};

const serveControl = (control: Control, client: Duplex): Promise<void> => {
  const http = performServerHandshake(client);
  http.on("error", () => client.destroy());
  http.on("stream", (stream: ServerHttp2Stream, headers) => {
    void answerCall(stream, headers, control.find(String(headers[":path"] ?? "")), sentenceOf);
  });
  return new Promise((resolve) => {
    http.once("close", () => resolve());
    client.once("close", () => resolve());
  });
};
