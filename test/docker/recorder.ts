/** A socket before the daemon's: what clients ask passes through, and every JSON answer is held against the reference. */
import { Agent, createServer, type IncomingMessage, request, type Server } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { Engine } from "../engine.ts";
import { checkAnswer } from "../reference.ts";

export class Recorder implements AsyncDisposable {
  /** What was answered: `GET /containers/json 200`. */
  readonly seen: string[] = [];
  /** What was wrong with it. */
  readonly wrong: string[] = [];
  /** The daemon behind it. */
  readonly engine: Engine;
  readonly socket: string;
  readonly #server: Server;
  readonly #agent: Agent;

  private constructor(engine: Engine, server: Server, agent: Agent) {
    this.engine = engine;
    this.socket = join(engine.directory, "recorder.sock");
    this.#server = server;
    this.#agent = agent;
  }

  /** Before a daemon of its own, which has the fixtures' image. */
  static async launch(): Promise<Recorder> {
    const engine = await Engine.launch();
    await engine.load();
    const server = createServer();
    const agent = new Agent({ keepAlive: true });
    const recorder = new Recorder(engine, server, agent);
    server.on("request", (asked, answer) => {
      const { method = "", url = "", headers } = asked;
      const onward = request({ socketPath: engine.socket, agent, method, path: url, headers }, (answered) => {
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

  /** For clients that come through it. */
  get env(): NodeJS.ProcessEnv {
    return { ...this.engine.env, DOCKER_HOST: `unix://${this.socket}` };
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
    this.#agent.destroy();
    await this.engine.stop();
  }
}
