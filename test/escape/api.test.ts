/** Clients that would bring the daemon down, reach what they should not, or be somebody else. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { type Route, routes } from "../../src/api/routes.ts";
import { said, until } from "../docker/containers.ts";
import { cannotRun, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { descriptorsOf } from "../kernel/keepers.ts";
import { isLong, peakMemory, Stage } from "./stage.ts";

/** What nobody may be called, as it stands in a path. */
const hostileNames = [
  "..",
  "../..",
  "..%2f..%2fetc%2fpasswd",
  "%2e%2e%2f%2e%2e",
  "%2e%2e",
  "%00",
  "a%00b",
  "%0a",
  "%1b%5b31m",
  "x".repeat(300),
  "x".repeat(5_000),
  encodeURIComponent("ＡＢＣ"),
  encodeURIComponent("é"),
  encodeURIComponent("𝕏"),
  "%25%2e%25%2e",
  "-",
  "--help",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "*",
  "'%20OR%201=1--",
  encodeURIComponent('";DROP TABLE containers'),
  "%ff",
  "%c0%ae%c0%ae",
];

/** Values that a field of any type may have. */
const hostileValues: readonly string[] = [
  "null",
  "{}",
  "[]",
  '""',
  "-1",
  "-0",
  "0",
  "1e400",
  "-1e400",
  "9007199254740993",
  "18446744073709551616",
  "1.5",
  "true",
  '"1"',
  '"\\u0000"',
  '"../../x"',
  '"\\n"',
  '"__proto__"',
  '{"__proto__":{"x":1}}',
  '[null,{},[],1,"x"]',
  JSON.stringify("x".repeat(100_000)),
  `${"[".repeat(200)}${"]".repeat(200)}`,
];

/** A create request that has nearly everything. */
const fullCreate = {
  Hostname: "h",
  Domainname: "d",
  User: "0",
  AttachStdout: true,
  ExposedPorts: { "80/tcp": {} },
  Tty: false,
  OpenStdin: false,
  Env: ["A=b"],
  Cmd: ["id"],
  Entrypoint: ["/probe"],
  Image: "probe",
  Volumes: { "/v": {} },
  WorkingDir: "/",
  Labels: { a: "b" },
  StopSignal: "TERM",
  StopTimeout: 1,
  Healthcheck: { Test: ["NONE"], Interval: 0, Retries: 1 },
  HostConfig: {
    Binds: ["/tmp:/t:ro"],
    Mounts: [{ Type: "tmpfs", Target: "/m", TmpfsOptions: { SizeBytes: 4096, Mode: 448 } }],
    Tmpfs: { "/x": "size=1m" },
    NetworkMode: "bridge",
    PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    AutoRemove: false,
    LogConfig: { Type: "json-file", Config: { "max-size": "1m" } },
    CapAdd: ["NET_ADMIN"],
    CapDrop: ["MKNOD"],
    CgroupnsMode: "private",
    Dns: ["1.1.1.1"],
    DnsSearch: ["x"],
    DnsOptions: ["ndots:1"],
    ExtraHosts: ["a:1.2.3.4"],
    GroupAdd: ["1"],
    IpcMode: "private",
    OomScoreAdj: 1,
    PidMode: "",
    Privileged: false,
    ReadonlyRootfs: true,
    SecurityOpt: ["no-new-privileges"],
    ShmSize: 1_048_576,
    Sysctls: { "net.ipv4.ip_forward": "1" },
    Memory: 16_777_216,
    NanoCpus: 500_000_000,
    CpuShares: 2,
    CpusetCpus: "0",
    BlkioWeight: 500,
    Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/x", CgroupPermissions: "r" }],
    DeviceCgroupRules: ["c 1:3 r"],
    PidsLimit: 10,
    Ulimits: [{ Name: "nofile", Soft: 10, Hard: 10 }],
    Init: true,
    MaskedPaths: ["/proc/x"],
    ReadonlyPaths: ["/proc/y"],
  },
  NetworkingConfig: { EndpointsConfig: { bridge: { Aliases: ["a"], MacAddress: "02:00:00:00:00:01" } } },
};

const fullExec = {
  AttachStdout: true,
  Tty: false,
  Cmd: ["/probe", "id"],
  Env: ["A=b"],
  User: "0",
  Privileged: false,
  WorkingDir: "/",
  DetachKeys: "ctrl-a",
  ConsoleSize: [1, 1],
};

/** The JSON of a value with one place in it, the nth, made into something else. */
const withPlace = (value: unknown, place: number, other: string): string => {
  let at = 0;
  const write = (one: unknown): string => {
    if (at++ === place) return other;
    if (Array.isArray(one)) return `[${one.map(write).join(",")}]`;
    if (typeof one !== "object" || one === null) return JSON.stringify(one);
    return `{${Object.entries(one)
      .map(([name, member]) => `${JSON.stringify(name)}:${write(member)}`)
      .join(",")}}`;
  };
  return write(value);
};

const placesIn = (value: unknown): number =>
  1 +
  (typeof value === "object" && value !== null
    ? Object.values(value).reduce((sum: number, one) => sum + placesIn(one), 0)
    : 0);

describe("hostile clients", { skip: cannotRun() }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage[Symbol.asyncDispose]());

  const isServed = async (): Promise<void> => assert.equal((await stage.engine.request("GET", "/_ping")).body, "OK");

  const tryToConnect = (): Promise<Socket | undefined> =>
    new Promise((resolve) => {
      const socket = createConnection(stage.engine.socket);
      socket.once("connect", () => resolve(socket)).on("error", () => resolve(undefined));
    });

  /** As often as it takes: only so many may wait to be accepted (EAGAIN, which Bun calls ECONNREFUSED). */
  const connect = async (): Promise<Socket> => {
    const made: Socket[] = [];
    await until("somebody accepts", async () => {
      const socket = await tryToConnect();
      if (socket !== undefined) made.push(socket);
      return made.length > 0;
    });
    return made[0]!;
  };

  /** All that is answered to these bytes until the daemon hangs up, or until it has said this. */
  const answerTo = async (bytes: string, until = /never/): Promise<string> => {
    const socket = await connect();
    return new Promise((resolve) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
        if (until.test(text)) socket.destroy();
      });
      socket.on("close", () => resolve(text));
      socket.write(bytes);
    });
  };

  /** An answer that is a refusal in words, or a success: never a failure of the daemon's. */
  const assertAnswered = ({ status, body }: { readonly status: number; readonly body: string }, what: string): void => {
    // 503 is how an engine says that it is in no swarm, 500 that a registry cannot be reached.
    const isElsewhere = status === 503 ? /swarm/.test(body) : /cannot reach registry/.test(body);
    const isRefused = status === 501 || isElsewhere;
    assert.ok(status < 500 || isRefused, `${what}: ${status} ${body.slice(0, 300)}`);
    if (status < 400) return;
    const { message } = JSON.parse(body) as { message: unknown };
    assert.ok(typeof message === "string" && message.length > 3, what);
    assert.doesNotMatch(message, /\n {4}at |undefined|\[object|is not a function|Cannot read/, what);
  };

  test("nobody but through the socket, unless a port is asked for; and then nobody from elsewhere who proves nothing", async () => {
    const sockets = new Set(
      [...descriptorsOf(stage.engine.pid).values()].flatMap((target) => /^socket:\[(\d+)\]/.exec(target)?.[1] ?? []),
    );
    for (const table of ["tcp", "tcp6", "udp", "udp6", "raw"]) {
      const lines = readFileSync(`/proc/${stage.engine.pid}/net/${table}`, "utf8").split("\n").slice(1);
      assert.deepEqual(
        lines.filter((line) => sockets.has(line.trim().split(/\s+/)[9] ?? "")),
        [],
        table,
      );
    }
    const wrong: Readonly<Record<string, RegExp>> = {
      "tcp://0.0.0.0:2375": /clients must prove who they are/,
      "tcp://[::]:2375": /clients must prove who they are/,
      "tcp://192.0.2.1:2375": /clients must prove who they are/,
      "0.0.0.0:2375": /nothing that clients could connect to/,
      "unix://relative": /nothing that clients could connect to/,
      "http://x": /nothing that clients could connect to/,
      "fd://": /systemd has handed over none/,
    };
    for (const [host, reason] of Object.entries(wrong)) {
      const { code, stderr } = await execute(executable, ["daemon", "--run", "/none", "--root", "/none", "-H", host]);
      assert.equal(code, 1, host);
      assert.match(stderr, reason, host);
    }
  });

  test("every name, id, tag and query that leads elsewhere is refused in words", async () => {
    for (const [name, route] of Object.entries(routes) as [string, Route][]) {
      if (!route.path.includes("{")) continue;
      for (const hostile of hostileNames) {
        const target = route.path.replace(/\{\w+\+?\}/, hostile);
        const answer = await stage.engine.request(route.method, target, route.method === "POST" ? "{}" : undefined);
        if (route.method !== "HEAD") assertAnswered(answer, `${name} ${hostile.slice(0, 40)}`);
        assert.ok(answer.status >= 300, `${name} ${hostile.slice(0, 40)}: ${answer.status}`);
      }
    }
    const create = JSON.stringify({ Image: "probe" });
    for (const hostile of hostileNames) {
      for (const [target, body] of [
        [`/containers/create?name=${hostile}`, create],
        [`/images/probe/tag?repo=${hostile}&tag=1`, ""],
        [`/images/probe/tag?repo=x&tag=${hostile}`, ""],
        [`/images/create?fromSrc=-&repo=${hostile}`, ""],
        [`/images/load?platform=${hostile}`, ""],
        [`/containers/json?filters=${hostile}`, undefined],
        [`/containers/json?limit=${hostile}`, undefined],
        [`/events?since=${hostile}`, undefined],
        [`/images/json?filters=%7B%22reference%22%3A%5B%22${hostile}%22%5D%7D`, undefined],
      ] as const) {
        const answer = await stage.engine.request(body === undefined ? "GET" : "POST", target, body);
        assertAnswered(answer, target.slice(0, 100));
      }
    }
    const ids = (await said(stage.engine, "ps", "-aq")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await said(stage.engine, "rm", ...ids);
    stage.canary.assertUntouched();
    await isServed();
  });

  test("CVE-2021-21285: no request brings the daemon down, whichever of its values is something else", async () => {
    const id = await stage.runner.detached("probe", "sleep");
    const session = await stage.engine.request("POST", `/containers/${id}/exec`, JSON.stringify(fullExec));
    const exec = (JSON.parse(session.body) as { Id: string }).Id;
    const doors: readonly (readonly [target: string, body: object])[] = [
      ["/containers/create", fullCreate],
      ["/pier/explain", fullCreate],
      [`/containers/${id}/exec`, fullExec],
      [`/exec/${exec}x/start`, { Detach: true, Tty: false, ConsoleSize: [1, 1] }],
    ];
    const created: string[] = [];
    const post = async (target: string, body: string): Promise<void> => {
      const answer = await stage.engine.request("POST", target, body);
      assertAnswered(answer, `${target} ${body.slice(0, 200)}`);
      if (target === "/containers/create" && answer.status === 201)
        created.push((JSON.parse(answer.body) as { Id: string }).Id);
    };
    for (const [target, body] of doors) {
      const places = placesIn(body);
      // Every place has every value in the long form; in the short one each has some, another choice for each.
      for (let place = 0; place < places; place++)
        for (const [index, other] of hostileValues.entries())
          if (isLong || (place * 7 + index) % 6 === 0) await post(target, withPlace(body, place, other));
    }
    const anything = fc.sample(fc.json({ maxDepth: 6 }), { numRuns: isLong ? 20_000 : 300, seed: 3 });
    for (const body of anything) await post("/containers/create", body);
    await said(stage.engine, "rm", "--force", id, ...created);
    // Nobody was polluted on the way.
    const control = await stage.engine.request(
      "POST",
      "/containers/create?name=control",
      JSON.stringify({ Image: "probe" }),
    );
    assert.equal(control.status, 201);
    const { body } = await stage.engine.request("GET", "/containers/control/json");
    assert.match(body, /"Privileged":false/);
    assert.doesNotMatch(body, /"x":1/);
    await said(stage.engine, "rm", "control");
    await isServed();
  });

  test("requests that hide in others, and heads that are none, are answered once and hung up on", async () => {
    // Each of them byte by byte, on both runtimes: src/daemon/hostile.test.ts. Here: nothing of it is done.
    const inner =
      "POST /containers/create?name=smuggled HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n" +
      '{"Image":"probe"}';
    const heads = [
      ["Content-Length: 5", "Transfer-Encoding: chunked"],
      ["Transfer-Encoding: chunked", "Content-Length: 5"],
      ["Content-Length: 0", "Content-Length: 5"],
      ["Transfer-Encoding: xchunked"],
      ["Transfer-Encoding: chunked, identity"],
      ["Transfer-Encoding : chunked"],
      ["Transfer-Encoding:\x0bchunked"],
      ["Content-Length: +5"],
      ["Content-Length: 0x5"],
    ];
    for (const head of heads) {
      const text = ["POST /containers/json HTTP/1.1", "Host: x", ...head, "", `0\r\n\r\n${inner}`].join("\r\n");
      const answer = await answerTo(text, /\r\n\r\n[\s\S]*HTTP\/1\.1/);
      assert.doesNotMatch(answer, /201 Created/, head.join());
    }
    for (const first of [
      "GET /_ping HTTP/1.1\nHost: x\n\n",
      "GET  /_ping HTTP/1.1\r\n\r\n",
      "GET /_ping HTTP/9.9\r\n\r\n",
      "\0\0\0\0\r\n\r\n",
      "\x16\x03\x01\x02\x00",
    ])
      assert.doesNotMatch(await answerTo(`${first}${" ".repeat(64)}\r\n\r\n${inner}`, /HTTP\/1\.1 \d+/), /201 Created/);
    assert.equal((await stage.engine.docker(["inspect", "smuggled"])).code, 1);
  });

  test("no upgrade is had where there is none, and what follows is not listened to", async () => {
    const inner = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
    for (const [name, { method, path }] of Object.entries(routes) as [string, Route][])
      for (const protocol of ["tcp", "h2c", "websocket"]) {
        if (name === "events" || method === "HEAD") continue;
        // Who asks a registry is answered when that has been tried for some seconds.
        if (["imageSearch", "distributionInspect", "manifestInspect"].includes(name)) continue;
        // A builder's client talks HTTP/2 from here on, whatever it calls that.
        if (name === "session" || name === "grpc") continue;
        const target = path.replace(/\{\w+\+?\}/, "none");
        const head = [
          `${method} ${target} HTTP/1.1`,
          "Host: x",
          "Connection: Upgrade",
          `Upgrade: ${protocol}`,
          "Content-Length: 0",
        ];
        const answer = await answerTo(`${head.join("\r\n")}\r\n\r\n${inner}`, /\r\n\r\n[\s\S]*(\}|OK|\])/);
        assert.doesNotMatch(answer, /^HTTP\/1\.1 101/, name);
      }
    await isServed();
  });

  test("bodies without end, of any kind, are not held", async () => {
    writeFileSync(`/proc/${stage.engine.pid}/clear_refs`, "5");
    const head = (...more: string[]) =>
      ["POST /containers/create HTTP/1.1", "Host: x", "Content-Type: application/json", ...more, "", ""].join("\r\n");
    assert.match(await answerTo(`${head("Content-Length: 1073741824")}{`, /413/), /^HTTP\/1\.1 413 /);
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    assert.match(await answerTo(head("Transfer-Encoding: chunked") + chunk.repeat(80), /413/), /^HTTP\/1\.1 413 /);
    // One byte a chunk, and chunks with more to say than to carry.
    await answerTo(`${head("Transfer-Encoding: chunked") + "1\r\nx\r\n".repeat(200_000)}0\r\n\r\n`, /HTTP/);
    await answerTo(`${head("Transfer-Encoding: chunked")}1;${"e".repeat(2_000_000)}\r\nx\r\n`, /HTTP/);
    await answerTo(`${head("Transfer-Encoding: chunked")}ffffffffffffffff\r\nx`, /HTTP/);
    assert.ok(peakMemory(stage.engine.pid) < 300 * 1024, `${peakMemory(stage.engine.pid)} kB`);
    await isServed();
  });

  test("ten thousand who say nothing, and a thousand who say it slowly, keep nobody else from being served", async () => {
    const limit = Number(
      /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${stage.engine.pid}/limits`, "utf8"))?.[1],
    );
    const many = Math.min(10_000, Math.floor(limit / 2) - 200);
    const sockets: Socket[] = [];
    try {
      while (sockets.length < many) sockets.push(await connect());
      for (const socket of sockets.slice(0, Math.floor(many / 10)))
        socket.write("POST /containers/create HTTP/1.1\r\nHost: x\r\nX-Slow: ");
      for (let turn = 0; turn < 100; turn++) {
        await isServed();
        assert.equal((await stage.engine.request("GET", "/containers/json")).status, 200);
      }
      assert.match(await stage.says("probe", "id"), /^uid: 0/m);
      for (const socket of sockets.slice(0, Math.floor(many / 10))) socket.write("x");
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await isServed();
  });
});
