/** The same over and over, through the API, as many at a time as the machine has processors: what a daemon does in months. */
import { readdirSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import type { Engine } from "../engine.ts";

/** The number on the line of this name in /proc/<pid>/status: kB of memory, or a count. */
const statusOf = (pid: number, name: string): number =>
  Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** What a process holds: bytes in memory, descriptors, threads. */
export const holdingsOf = (pid: number) => ({
  memory: statusOf(pid, "VmRSS") * 1024,
  descriptors: readdirSync(`/proc/${pid}/fd`).length,
  threads: statusOf(pid, "Threads"),
});

/** The most memory that a process has ever had, in bytes. */
export const peakOf = (pid: number): number => statusOf(pid, "VmHWM") * 1024;

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** `work` was done so many times, a few at a time; answers how long each took, in milliseconds. */
export const repeat = async (
  times: number,
  atATime: number,
  work: (index: number) => Promise<void>,
): Promise<number[]> => {
  const took: number[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < times; index = next++) {
      const began = performance.now();
      await work(index);
      took.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return took;
};

/** A client of the API that keeps its connections. */
export class Api implements Disposable {
  readonly #engine: Engine;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 2 });

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The answer's body; anything but a success throws. */
  ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = text === undefined ? {} : { "content-type": "application/json", "content-length": text.length };
      const options = { socketPath: this.#engine.socket, agent: this.#agent, method, path, headers };
      const asked = request(options, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () => {
          const said = Buffer.concat(chunks).toString();
          if ((answer.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${answer.statusCode} ${said}`));
          else resolve((said.startsWith("{") ? JSON.parse(said) : said) as T);
        });
      });
      asked.on("error", reject);
      asked.end(text);
    });
  }

  /** A stream: the connection once its answer's head has come, with what came behind it put back. */
  hijack(path: string, body = ""): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.#engine.socket, allowHalfOpen: true });
      let head = Buffer.alloc(0);
      const hear = (chunk: Buffer): void => {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.off("data", hear).off("error", reject);
        socket.on("error", () => {});
        socket.pause();
        if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
        if (head.toString("latin1").startsWith("HTTP/1.1 101")) resolve(socket);
        else reject(new Error(head.toString("latin1")));
      };
      socket.on("data", hear).once("error", reject);
      const type = body === "" ? "" : "Content-Type: application/json\r\n";
      const upgrade = `Connection: Upgrade\r\nUpgrade: tcp\r\n${type}Content-Length: ${body.length}\r\n\r\n`;
      socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${upgrade}${body}`);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** Reads to the end, keeping nothing; answers how many bytes there were. */
export const drain = (socket: Socket): Promise<number> =>
  new Promise((resolve) => {
    let size = 0;
    socket.on("data", (chunk: Buffer) => {
      size += chunk.length;
    });
    socket.once("end", () => {
      socket.end();
      resolve(size);
    });
    socket.resume();
  });

/** Reads until it has come by; what is read then is not kept either. */
export const hear = (socket: Socket, word: string): Promise<void> =>
  new Promise((resolve) => {
    let last = "";
    const look = (chunk: Buffer): void => {
      last = (last + chunk.toString("latin1")).slice(-4096);
      if (last.includes(word)) resolve();
    };
    socket.on("data", look);
    socket.resume();
  });
