/** How answers look on the wire: every route gives one as a value, one place writes it. */
import type { ServerResponse } from "node:http";
import { arch, platform } from "node:os";
import type { ErrorAnswer } from "../api/types.ts";
import { maxVersion, pierVersion } from "../api/versions.ts";
import { drained } from "../base/drained.ts";
import { PierError } from "../base/errors.ts";
import type { Log } from "./log.ts";

export type Chunks = AsyncIterable<Uint8Array | string>;

export type Answer =
  | { readonly kind: "json"; readonly status: number; readonly body: unknown }
  | { readonly kind: "text"; readonly text: string; readonly type: string }
  | { readonly kind: "empty"; readonly status: number; readonly headers?: Headers }
  /** The head goes out at once: clients rely on having it before the first chunk is there. */
  | { readonly kind: "stream"; readonly type: string; readonly chunks: Chunks; readonly headers?: Headers };

type Headers = Readonly<Record<string, string>>;

export const json = (body: unknown, status = 200): Answer => ({ kind: "json", status, body });
export const empty = (status = 204, headers: Headers = {}): Answer => ({ kind: "empty", status, headers });
export const text = (content: string, type = "text/plain; charset=utf-8"): Answer => ({
  kind: "text",
  text: content,
  type,
});
export const stream = (type: string, chunks: Chunks, headers: Headers = {}): Answer => ({
  kind: "stream",
  type,
  chunks,
  headers,
});

export const jsonType = "application/json";
export const tarType = "application/x-tar";
export const rawStreamType = "application/vnd.docker.raw-stream";
export const multiplexedStreamType = "application/vnd.docker.multiplexed-stream";

/** What Docker's clients look at before anything else. */
export const commonHeaders = {
  "Api-Version": maxVersion,
  "Docker-Experimental": "false",
  Ostype: platform(),
  Server: `pier/${pierVersion} (${platform()}; ${arch()})`,
} as const;

/** As Go's encoder: a newline ends the value. */
export const encodeJson = (body: unknown): string => `${JSON.stringify(body)}\n`;

export interface Failure {
  readonly status: number;
  readonly body: ErrorAnswer;
}

/** What a client is told of an error; what was not meant for anybody is logged whole. */
export const failureOf = (error: unknown, log: Log, what: string): Failure => {
  if (error instanceof PierError) {
    log.debug(`${what}: ${error.status} ${error.message}`);
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return { status: error.status, body: { message: error.message, ...hint } };
  }
  log.error(what, error);
  return { status: 500, body: { message: error instanceof Error ? error.message : String(error) } };
};

/** Holds afterwards: the client has the whole answer, or has gone. */
export const sendAnswer = async (response: ServerResponse, answer: Answer): Promise<void> => {
  switch (answer.kind) {
    case "json":
      sendWhole(response, answer.status, jsonType, encodeJson(answer.body));
      return;
    case "text":
      sendWhole(response, 200, answer.type, answer.text);
      return;
    case "empty":
      response.writeHead(answer.status, answer.headers).end();
      return;
    case "stream":
      response.writeHead(200, { "Content-Type": answer.type, ...answer.headers });
      response.flushHeaders();
      await sendChunks(response, answer.chunks);
  }
};

export const sendFailure = (response: ServerResponse, { status, body }: Failure): void =>
  sendWhole(response, status, jsonType, encodeJson(body));

const sendWhole = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body);
};

const sendChunks = async (response: ServerResponse, chunks: Chunks): Promise<void> => {
  for await (const chunk of chunks) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
};
