/** The whole command line, as its own process, against a daemon that only plays one. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { encodeFrame } from "../format/raw-stream.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const ID = "0123456789abcdef".repeat(4);

type Reply = (response: ServerResponse, request: IncomingMessage) => void;
type Stream = (socket: Duplex, request: IncomingMessage) => void;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const textOf = async (stream: AsyncIterable<Buffer> | null): Promise<string> =>
  stream === null ? "" : Buffer.concat(await Array.fromAsync(stream)).toString();

const endOf = async (child: ChildProcess, input?: string): Promise<Ended> => {
  child.stdin?.end(input);
  const ended = once(child, "close") as Promise<[number | null]>;
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  return { code: (await ended)[0], stdout, stderr };
};

describe("the command line", () => {
  const directory = mkdtempSync(join(tmpdir(), "pier-cli-"));
  const path = join(directory, "socket");
  let server: Server;
  let requests: string[];
  let replies: Record<string, Reply>;
  let stream: Stream;
  let finish: (exitCode: number) => void;

  const answer =
    (status: number, body?: unknown): Reply =>
    (response) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(body === undefined ? "" : JSON.stringify(body));
    };

  const replyOf = (method: string, url: string): Reply =>
    Object.entries(replies).find(([route]) => `${method} ${url}`.startsWith(route))?.[1] ??
    answer(404, { message: `no ${url}` });

  beforeEach(() => {
    requests = [];
    stream = (socket) => socket.end();
    replies = {
      "POST /containers/create": answer(201, { Id: ID, Warnings: [] }),
      [`POST /containers/${ID}/start`]: answer(204),
      [`POST /containers/${ID}/kill`]: answer(204),
      [`POST /containers/${ID}/wait`]: (response) => {
        response.writeHead(200, { "Content-Type": "application/json" });
        response.flushHeaders();
        finish = (StatusCode) => response.end(JSON.stringify({ StatusCode }));
      },
    };
  });

  before(async () => {
    server = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      request.resume().on("end", () => replyOf(request.method!, request.url!)(response, request));
    });
    server.on("upgrade", (request, socket) => {
      requests.push(`${request.method} ${request.url}`);
      socket.on("error", () => undefined);
      socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
      stream(socket, request);
    });
    server.listen(path);
    await once(server, "listening");
  });
  afterEach(() => server.closeAllConnections());
  after(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  });

  const pier = (...words: string[]): ChildProcess =>
    spawn(process.execPath, [main, ...words], { env: { ...process.env, PIER_HOST: `unix://${path}` } });

  test("run listens and waits before it starts, and ends as the container ended", async () => {
    stream = (socket) => {
      replies[`POST /containers/${ID}/start`] = (response, request) => {
        answer(204)(response, request);
        socket.write(
          Buffer.concat([encodeFrame("stdout", Buffer.from("out")), encodeFrame("stderr", Buffer.from("err"))]),
        );
        socket.end(encodeFrame("stdout", Buffer.from("put\n")));
        finish(7);
      };
    };
    const ended = await endOf(pier("run", "--rm", "image", "x"));
    assert.deepEqual(ended, { code: 7, stdout: "output\n", stderr: "err" });
    assert.equal(requests[0], "POST /containers/create");
    assert.deepEqual(requests.slice(1, 3).sort(), [
      `POST /containers/${ID}/attach?stderr=1&stdout=1&stream=1`,
      `POST /containers/${ID}/wait?condition=removed`,
    ]);
    assert.deepEqual(requests.slice(3), [`POST /containers/${ID}/start`]);
  });

  test("run -i sends standard input, and its end", async () => {
    stream = (socket) => {
      const typed: Buffer[] = [];
      socket
        .on("data", (data: Buffer) => typed.push(data))
        .on("end", () => {
          socket.end(encodeFrame("stdout", Buffer.concat(typed)));
          finish(0);
        });
    };
    const text = "typed\n".repeat(20_000);
    const { code, stdout } = await endOf(pier("run", "-i", "image", "cat"), text);
    assert.deepEqual([code, stdout === text], [0, true]);
  });

  test("run -d prints the id and attaches nothing", async () => {
    assert.deepEqual(await endOf(pier("run", "-d", "image")), { code: 0, stdout: `${ID}\n`, stderr: "" });
    assert.deepEqual(requests, ["POST /containers/create", `POST /containers/${ID}/start`]);
  });

  test("run passes signals on", async () => {
    stream = (socket) => {
      replies[`POST /containers/${ID}/kill`] = (response, request) => {
        answer(204)(response, request);
        socket.end();
        finish(143);
      };
      socket.write(encodeFrame("stdout", Buffer.from("ready\n")));
    };
    const child = pier("run", "image");
    child.stdout!.once("data", () => child.kill("SIGTERM"));
    assert.equal((await endOf(child)).code, 143);
    assert.equal(requests.at(-1), `POST /containers/${ID}/kill?signal=SIGTERM`);
  });

  test("run tells whether a command was not found, could not be executed, or something else", async () => {
    const reasons = {
      'exec: "x": executable file not found in $PATH': 127,
      'exec: "/etc": permission denied': 126,
      "no room": 125,
    };
    for (const [message, code] of Object.entries(reasons)) {
      replies[`POST /containers/${ID}/start`] = answer(400, { message });
      const stderr = `pier: Error response from daemon: ${message}\n\nRun 'pier run --help' for more information\n`;
      assert.deepEqual(await endOf(pier("run", "image")), { code, stdout: "", stderr });
    }
  });

  test("output that nobody reads any more ends it", async () => {
    stream = (socket) => {
      const more = (): void => void (socket.writable && socket.write(encodeFrame("stdout", Buffer.alloc(65536)), more));
      more();
    };
    const child = pier("run", "image");
    child.stdout!.once("data", () => child.stdout!.destroy());
    const [code] = (await once(child, "exit")) as [number];
    assert.equal(code, 141);
  });

  test("exec ends as its command ended", async () => {
    replies["POST /containers/web/exec"] = answer(201, { Id: "e1" });
    replies["GET /exec/e1/json"] = answer(200, { ExitCode: 5 });
    stream = (socket) => socket.end(encodeFrame("stdout", Buffer.from("done\n")));
    assert.deepEqual(await endOf(pier("exec", "web", "x")), { code: 5, stdout: "done\n", stderr: "" });
  });

  test("several containers are treated alike, in the order of their names", async () => {
    replies["POST /containers/a/stop"] = (response, request) => void setImmediate(() => answer(204)(response, request));
    replies["POST /containers/b/stop"] = answer(404, { message: "No such container: b" });
    replies["POST /containers/c/stop"] = answer(304);
    const stderr = "Error response from daemon: No such container: b\n";
    assert.deepEqual(await endOf(pier("stop", "-t", "3", "a", "b", "c")), { code: 1, stdout: "a\nc\n", stderr });
    assert.deepEqual(
      requests.sort(),
      ["a", "b", "c"].map((name) => `POST /containers/${name}/stop?t=3`),
    );
  });

  test("words that it cannot use end it with Docker's exit codes", async () => {
    const usage =
      "\n\nUsage:  pier stop [OPTIONS] CONTAINER [CONTAINER...]\n\nRun 'pier stop --help' for more information\n";
    const cases: readonly (readonly [words: readonly string[], code: number, stderr: string])[] = [
      [["stop", "--nope"], 125, `unknown flag: --nope${usage}`],
      [["stop"], 1, `pier: 'pier stop' requires at least 1 argument${usage}`],
      [["nope"], 1, "pier: unknown command: pier nope\n\nRun 'pier --help' for more information\n"],
      [
        ["-H", "npipe://x", "ps"],
        1,
        "unable to use the host npipe://x: it is unix://PATH or tcp://ADDRESS:PORT\nTry: -H unix:///run/pier/pier.sock\n",
      ],
    ];
    for (const [words, code, stderr] of cases)
      assert.deepEqual(await endOf(pier(...words)), { code, stdout: "", stderr });
    assert.deepEqual(requests, []);
  });

  test("help names every flag and every name of a command", async () => {
    const { code, stdout } = await endOf(pier("ps", "--help"));
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^Usage: {2}pier ps \[OPTIONS\]\n\nList containers\n\nAliases:\n {2}pier container ls, .*, pier ps\n\nOptions:\n {2}-a, --all {13}Show all/,
    );
  });

  test("where nobody listens it says so", async () => {
    const { code, stderr } = await endOf(pier("-H", `unix://${directory}/none`, "ps"));
    assert.deepEqual(
      [code, /^Cannot connect to the pier daemon at unix:.*none\. Is the pier daemon running\?/.test(stderr)],
      [1, true],
    );
  });
});
