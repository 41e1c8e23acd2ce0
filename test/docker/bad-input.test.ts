/** Bad input gets a sentence and an exit code, and leaves no trace. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { type Answer, cannotRun, Engine } from "../engine.ts";
import { busybox, removeAll, said } from "./containers.ts";

/** A create request that is whole but for these members, as the text that is sent. */
const config = (members: string): string => `{"Image":"${busybox}"${members === "" ? "" : `,${members}`}}`;
const hostConfig = (members: string): string => config(`"HostConfig":{${members}}`);

const refusedBodies: readonly (readonly [what: string, body: string])[] = [
  ["nothing", ""],
  ["half of it", "{"],
  ["null", "null"],
  ["a list", "[]"],
  ["a text", '"x"'],
  ["no image", "{}"],
  ["a number for a text", '{"Image":5}'],
  ["a number among texts", config('"Cmd":[1]')],
  ["an object for a list", config('"Env":{"a":1}')],
  ["a list for an object", config('"HostConfig":[]')],
  ["a text for a number", hostConfig('"Memory":"1g"')],
  ["a number above 2^53", hostConfig('"Memory":9007199254740993')],
  ["a number far above 2^64", hostConfig('"PidsLimit":99999999999999999999')],
  ["a number beyond all", hostConfig('"Memory":1e400')],
  ["a number beneath all", hostConfig('"Memory":-1e400')],
  ["half a byte", hostConfig('"Memory":1.5')],
  ["a port named __proto__", hostConfig('"PortBindings":{"__proto__":[{"HostPort":"1"}]}')],
  ["a port beyond 65535", hostConfig('"PortBindings":{"80/tcp":[{"HostPort":"99999"}]}')],
  ["a port that is no text", hostConfig('"PortBindings":{"80/tcp":[{"HostPort":80}]}')],
  ["a bind without a target", hostConfig('"Binds":["a"]')],
  ["a relative bind", hostConfig('"Binds":["/a:b"]')],
  ["a NUL in an argument", config('"Cmd":["a\\u0000b"]')],
  ["a NUL in the environment", config('"Env":["a\\u0000=1"]')],
  ["a NUL in the user", config('"User":"a\\u0000"')],
  ["a host name that is a path", config('"Hostname":"../x"')],
  ["a working directory that is relative", config('"WorkingDir":"a"')],
  ["a capability that is none", hostConfig('"CapAdd":["NOPE"]')],
  ["a sysctl that is none of the container's", hostConfig('"Sysctls":{"kernel.panic":"1"}')],
  ["a sysctl that leaves its directory", hostConfig('"Sysctls":{"net/../kernel/panic":"1"}')],
  ["twenty thousand levels", `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`],
  ["five megabytes", `{"Image":"${"x".repeat(5_000_000)}"}`],
];

const refusedRequests: readonly (readonly [status: number, method: string, target: string])[] = [
  [404, "GET", "/nope"],
  [404, "GET", "/containers/..%2f..%2fetc/json"],
  [404, "GET", "/containers/%00/json"],
  [400, "GET", "/containers/%zz/json"],
  [400, "GET", "/v9.99/info"],
  [400, "GET", "/v0.1/info"],
  [400, "GET", "/containers/json?limit=x"],
  [400, "GET", "/containers/json?filters=x"],
  [400, "GET", "/containers/json?filters=%7B%22__proto__%22%3A%5B%22x%22%5D%7D"],
  [400, "GET", "/events?since=x"],
  [400, "GET", "/images/UPPER/json"],
  [404, "GET", "/containers/x/logs?stdout=1"],
  [404, "POST", "/containers/x/start"],
  [404, "POST", "/exec/x/start"],
  [404, "DELETE", "/containers/x?force=1"],
];

describe("bad input", { skip: cannotRun() }, () => {
  let engine: Engine;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-bad-"));
    engine = await Engine.launch();
    await engine.load();
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  afterEach(() => removeAll(engine));

  const assertNoTrace = async (): Promise<void> => {
    assert.equal(await said(engine, "ps", "-aq"), "");
    assert.deepEqual(readdirSync(join(engine.root, "containers")), []);
    assert.deepEqual(readdirSync(join(engine.run, "c")), []);
  };
  const assertSentence = ({ body }: Answer): void => {
    const { message } = JSON.parse(body) as { message: unknown };
    assert.ok(typeof message === "string" && message.length > 3 && message.length < 300, body.slice(0, 400));
    assert.doesNotMatch(message, /\n {4}at |undefined|\[object/);
  };

  for (const [what, body] of refusedBodies)
    test(`a create request with ${what} is refused`, async () => {
      const answer = await engine.request("POST", "/containers/create", body);
      assert.ok([400, 413].includes(answer.status), `${answer.status} ${answer.body}`);
      assertSentence(answer);
      await assertNoTrace();
    });

  for (const [status, method, target] of refusedRequests)
    test(`${method} ${target} is refused`, async () => {
      const answer = await engine.request(method, target, method === "POST" ? "{}" : undefined);
      assert.equal(answer.status, status, answer.body);
      assertSentence(answer);
    });

  test("__proto__ is a name like any other, and changes nobody", async () => {
    const members = '"__proto__":{"Cmd":["x"]},"Labels":{"__proto__":"a","constructor":"b"}';
    const body = config(`${members},"HostConfig":{"__proto__":{"Privileged":true}}`);
    const created = await engine.request("POST", "/containers/create?name=proto", body);
    assert.equal(created.status, 201, created.body);
    const { body: text } = await engine.request("GET", "/containers/proto/json");
    assert.match(text, /"Privileged":false/);
    assert.match(text, /"__proto__":"a","constructor":"b"/);
    const other = await engine.request("POST", "/containers/create?name=other", config(""));
    assert.equal(other.status, 201);
    assert.match((await engine.request("GET", "/containers/other/json")).body, /"Cmd":\["sh"\]/);
  });

  test("what is no HTTP is answered and hung up on", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = createConnection(engine.socket);
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(text));
      socket.write("GARBAGE\r\n\r\n");
    });
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.equal((await engine.request("GET", "/_ping")).body, "OK");
  });

  const missing = "/no/such/file";
  const cases: readonly (readonly [code: number, sentence: RegExp, ...args: string[]])[] = [
    [125, /unknown flag: --nope/, "run", "--nope", busybox],
    [125, /Unable to find image 'nosuch:latest' locally/, "run", "nosuch"],
    [125, /invalid reference format/, "run", "UPPER"],
    [125, /invalid reference format/, "run", "a/../b"],
    [125, /invalid reference format/, "run", "a@sha256:12"],
    [125, /open \/no\/such\/file: no such file or directory/, "run", "--env-file", missing, busybox],
    [125, /open \/no\/such\/file: no such file or directory/, "run", "--label-file", missing, busybox],
    [125, /./, "run", "--security-opt", `seccomp=${missing}`, busybox],
    [125, /Invalid container name \(\.\.\/x\)/, "run", "--name", "../x", busybox],
    [
      125,
      /bind source path does not exist: \/no\/such\/file/,
      "run",
      "--mount",
      `type=bind,src=${missing},dst=/x`,
      busybox,
    ],
    [125, /invalid signal: NOPE/, "run", "--stop-signal", "NOPE", busybox],
    [125, /network nosuch not found/, "run", "--rm", "--network", "nosuch", busybox],
    [125, /unable to find user nosuch: no matching entries in passwd file/, "run", "--user", "nosuch", busybox],
    [125, /Minimum memory limit allowed is 6MB/, "run", "-m", "4k", busybox],
    [125, /No such container: nosuch/, "run", "--pid", "container:nosuch", busybox],
    [125, /unknown or invalid runtime name: nosuch/, "run", "--runtime", "nosuch", busybox],
    [127, /exec: "nosuch": executable file not found in \$PATH/, "run", busybox, "nosuch"],
    [126, /exec: "\/etc\/passwd": permission denied/, "run", busybox, "/etc/passwd"],
    [1, /No such container: nosuch/, "start", "nosuch"],
    [1, /No such container: nosuch/, "rm", "nosuch"],
    [1, /No such container: nosuch/, "exec", "nosuch", "true"],
    [1, /No such container: nosuch/, "logs", "nosuch"],
    [1, /No such image: nosuch:latest/, "rmi", "nosuch"],
    [1, /No such image: nosuch:latest/, "tag", "nosuch", "x"],
    [1, /open \/no\/such\/file: no such file or directory/, "load", "-i", missing],
  ];
  for (const [code, sentence, ...args] of cases)
    test(`${code}: docker ${args.join(" ")}`, async () => {
      const ran = await engine.docker(args);
      assert.equal(ran.code, code, ran.stdout + ran.stderr);
      assert.match(ran.stderr, sentence);
      if (args[0] !== "run") return;
      // A container that could be made and not started stays, as in Docker.
      if (/^(126|127)$/.test(String(code)) || args.includes("--user") || args.includes("--pid"))
        await removeAll(engine);
      await assertNoTrace();
    });

  test("files of variables that are none are refused", async () => {
    const file = join(directory, "env");
    for (const content of ["a b=1\n", "=1\n", Buffer.from([0xff, 0xfe, 0x41])]) {
      writeFileSync(file, content);
      const ran = await engine.docker(["run", "--rm", "--env-file", file, busybox, "true"]);
      assert.equal(ran.code, 125, String(content));
    }
    await assertNoTrace();
  });

  test("whoever still sends what is refused hears why", async () => {
    for (let turn = 0; turn < 3; turn++) {
      const loaded = await engine.docker(["load"], { input: Buffer.alloc(30_000_000, "x") });
      assert.equal(loaded.code, 1);
      assert.match(loaded.stderr, /invalid tar header/);
    }
  });
});
