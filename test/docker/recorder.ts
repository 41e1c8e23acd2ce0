/** A socket before the daemon's: what clients ask passes through, and every JSON answer is held against the reference. */
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { Engine } from "../engine.ts";
import { checkAnswer } from "../reference.ts";

export class Recorder implements AsyncDisposable {
  /** What was answered: `GET /containers/json 200`. */
  readonly seen: string[] = [];
  /** What was wrong with it. */
  readonly wrong: string[] = [];
  readonly socket: string;
  readonly #server: Server;

  private constructor(socket: string, server: Server) {
    this.socket = socket;
    this.#server = server;
  }

  static async open(engine: Engine): Promise<Recorder> {
    const server = createServer();
    const recorder = new Recorder(join(engine.directory, "recorder.sock"), server);
    server.on("request", (asked, answer) => {
      const { method = "", url = "", headers } = asked;
      const onward = request({ socketPath: engine.socket, method, path: url, headers }, (answered) => {
        answer.writeHead(answered.statusCode ?? 500, answered.headers);
        answer.flushHeaders();
        recorder.#record(method, url, answered);
        answered.pipe(answer);
      });
      onward.on("error", () => answer.destroy());
      answer.on("close", () => onward.destroy());
      asked.pipe(onward);
    });
    // From here on the bytes are the container's.
    server.on("upgrade", (asked, client, first) => {
      const { method, url, rawHeaders } = asked;
      const onward = connect(engine.socket);
      const lines = rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
      onward.write(`${method} ${url} HTTP/1.1\r\n${lines}\r\n`);
      // The body is the request's, or the first of the stream, whichever runtime this is.
      asked.on("data", (chunk: Buffer) => onward.write(chunk));
      onward.write(first);
      client.pipe(onward).pipe(client);
      for (const socket of [client, onward]) {
        socket.on("error", () => socket.destroy());
        socket.on("close", () => {
          client.destroy();
          onward.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(recorder.socket, resolve));
    return recorder;
  }

  #record(method: string, url: string, answered: IncomingMessage): void {
    const chunks: Buffer[] = [];
    const status = answered.statusCode ?? 0;
    answered.on("data", (chunk: Buffer) => chunks.push(chunk));
    answered.on("end", () => {
      this.seen.push(`${method} ${url.split("?")[0]!.replace(/^\/v[\d.]+/, "")} ${status}`);
      if (answered.headers["content-type"] !== "application/json") return;
      try {
        checkAnswer(method, url, status, Buffer.concat(chunks).toString());
      } catch (error) {
        this.wrong.push(error instanceof Error ? error.message : String(error));
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
