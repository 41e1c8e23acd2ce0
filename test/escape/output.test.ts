/** What containers and images say, where it is kept and where it is shown. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { busybox, said } from "../docker/containers.ts";
import { cannotRun, executable } from "../engine.ts";
import { execute } from "../execute.ts";
import { isLong, peakMemory, Stage } from "./stage.ts";

/** Sets a terminal's title, and a byte that many terminals take for the beginning of a sequence (C1). */
const steering = "\x1b]0;seen\x07\x9b31m";

const nextSecond = (): string => String(Math.floor(Date.now() / 1000) + 1);

describe("what others say", { skip: cannotRun() }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage[Symbol.asyncDispose]());

  const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

  /** What our command shows at a terminal. */
  const shows = async (...args: string[]): Promise<string> => {
    const command = [executable, ...args].map(quoted).join(" ");
    const env = { ...stage.engine.env, SHELL: "/bin/sh", NO_COLOR: "1" };
    return (await execute("script", ["--quiet", "--flush", "--command", command, "/dev/null"], { env })).stdout;
  };

  test("a log has what was written, as what it was: no line can be another's record, time or stream", async () => {
    const forged = '{"log":"forged\\n","stream":"stderr","time":"2000-01-01T00:00:00Z"}';
    const lines = [forged, `\r\n${forged}`, `x\\n${forged}`, "\u2028\u2029", '","stream":"stderr', "\\", '"'];
    const text = `${lines.join("\n")}\n`;
    const id = await said(stage.engine, "create", "--network", "none", busybox, "printf", "%s", text);
    const { output } = await stage.engine.docker(["start", "--attach", id]);
    assert.equal(output.toString(), text);
    const logs = await stage.engine.docker(["logs", id]);
    assert.equal(logs.output.toString(), text);
    assert.equal(logs.stderr, "");
    const [file = ""] = readdirSync(join(stage.engine.root, "containers", id)).filter((name) =>
      name.endsWith("-json.log"),
    );
    const records = readFileSync(join(stage.engine.root, "containers", id, file), "utf8")
      .trim()
      .split("\n");
    const parsed = records.map((record) => JSON.parse(record) as { log: string; stream: string; time: string });
    assert.equal(parsed.map(({ log }) => log).join(""), text);
    assert.ok(parsed.every(({ stream, time }) => stream === "stdout" && !time.startsWith("2000")));
    assert.equal(
      (await stage.engine.docker(["logs", "--since", "1999-01-01", "--until", "2001-01-01", id])).stdout,
      "",
    );
    await said(stage.engine, "rm", id);
  });

  test("every byte there is, and bytes that are no text, are logged and read, byte for byte where they can be", async () => {
    const script = `i=0; while [ $i -lt 256 ]; do printf "\\\\x$(printf %02x $i)"; i=$((i+1)); done; printf '\\xc3\\xed\\xa0\\x80\\xf8\\x88\\n'`;
    const id = await said(stage.engine, "create", "--network", "none", busybox, "sh", "-c", script);
    const { output } = await stage.engine.docker(["start", "--attach", id]);
    assert.deepEqual(
      [...output.subarray(0, 256)],
      Array.from({ length: 256 }, (_, byte) => byte),
    );
    const logs = (await stage.engine.docker(["logs", id])).output;
    // As in Docker, what is no UTF-8 is U+FFFD in a log of JSON; test/kernel/log.test.ts has each byte.
    assert.deepEqual(
      [...logs.subarray(0, 128)],
      Array.from({ length: 128 }, (_, byte) => byte),
    );
    await said(stage.engine, "rm", id);
  });

  test("a line that does not end fills no memory, nor more of the disk than logs may have", async () => {
    const size = (isLong ? 1024 : 24) * 2 ** 20;
    const id = await said(
      stage.engine,
      "create",
      "--network",
      "none",
      "--log-opt",
      "max-size=2m",
      "--log-opt",
      "max-file=2",
      busybox,
      "sh",
      "-c",
      `tr '\\0' x </dev/zero | head -c ${size}`,
    ); // prettier-ignore
    writeFileSync(`/proc/${stage.engine.pid}/clear_refs`, "5");
    await said(stage.engine, "start", id);
    await said(stage.engine, "wait", id);
    const directory = join(stage.engine.root, "containers", id);
    const logs = readdirSync(directory).filter((name) => name.includes("-json.log"));
    const bytes = logs.reduce((sum, name) => sum + readFileSync(join(directory, name)).length, 0);
    assert.ok(bytes <= 2 * (2 * 2 ** 20 + 65_536), `${bytes} bytes`);
    const { output } = await stage.engine.docker(["logs", id]);
    assert.ok(output.length > 10_000 && output.every((byte) => byte === 0x78));
    assert.ok(peakMemory(stage.engine.pid) < 300 * 1024, `${peakMemory(stage.engine.pid)} kB`);
    await said(stage.engine, "rm", id);
  });

  test("nothing that an image or a container is called steers the terminal of who lists it", async () => {
    await stage.make("steering", [], {
      Labels: { [`l${steering}`]: `v${steering}` },
      Cmd: ["trap", "0", steering],
      Env: [`E=${steering}`],
      ExposedPorts: { [`80${steering}`]: {} },
    });
    const body = { Image: "steering", Labels: { x: steering }, HostConfig: { NetworkMode: "none" } };
    const created = await stage.engine.request("POST", "/containers/create?name=steering", JSON.stringify(body));
    assert.equal(created.status, 201);
    await said(stage.engine, "start", "steering");
    const commands = [
      ["ps", "--no-trunc"],
      ["ps", "--format", "{{.Command}} {{.Labels}}"],
      ["images", "--no-trunc"],
      ["history", "--no-trunc", "steering"],
      ["top", "steering"],
      ["inspect", "steering"],
      ["inspect", "--format", "{{.Config.Cmd}} {{.Config.Labels}}", "steering"],
      // The command sends whole seconds: until now would leave out what has happened in this one.
      ["events", "--since", "0", "--until", nextSecond()],
    ];
    for (const args of commands) {
      const text = await shows(...args);
      assert.doesNotMatch(text, /\x1b\]|\x07|\x9b|\u009b/, args.join(" "));
      assert.ok(text.length > 20, `${args.join(" ")}: ${text}`);
    }
    await said(stage.engine, "rm", "--force", "steering");
  });

  test("nor does what an error repeats of it", async () => {
    for (const args of [
      ["run", steering],
      ["run", "--name", steering, "probe"],
      ["run", "--network", "none", "probe-absent", steering],
      ["run", "--rm", "--network", "none", "--entrypoint", `/${steering}`, "probe"],
      ["run", "--rm", "--network", "none", "-w", `/proc/${steering}`, "probe"],
      ["run", "--rm", "--network", "none", "--user", steering, "probe"],
      ["run", "-v", `/a:/b:${steering}`, "probe"],
      ["rmi", steering],
      ["start", steering],
      ["tag", "probe", steering],
      ["logs", steering],
      ["load", "-i", steering],
      [steering],
      ["run", `--${steering}`],
      ["ps", "--filter", steering],
      ["ps", "--format", `{{.${steering}}}`],
    ])
      assert.doesNotMatch(await shows(...args), /\x1b\]|\x07|\x9b|\u009b/, args.join(" "));
  });

  test("what a container writes to a terminal is the container's, byte for byte", async () => {
    const text = await shows("run", "--rm", "--network", "none", busybox, "printf", "\\033]0;own\\007");
    assert.match(text, /\x1b\]0;own\x07/);
  });

  test("CVE-2019-13509: our own log has no bodies, queries or passwords", async () => {
    const secret = "canary-password";
    const auth = { "x-registry-auth": Buffer.from(JSON.stringify({ password: secret })).toString("base64") };
    const create = { Image: "probe", Env: [`PASSWORD=${secret}`], Labels: { secret }, Cmd: [secret] };
    await Promise.all([
      stage.engine.request("POST", `/images/create?fromImage=x&tag=${secret}`, "", auth),
      stage.engine.request("POST", "/auth", JSON.stringify({ username: "x", password: secret })),
    ]);
    await stage.engine.request("POST", `/containers/create?name=${secret}!`, JSON.stringify(create));
    await stage.engine.request("POST", "/containers/create?name=secret", JSON.stringify(create));
    await stage.engine.docker(["start", "--attach", "secret"]);
    await said(stage.engine, "rm", "secret");
    const log = readFileSync(stage.engine.log, "utf8");
    assert.ok(!log.includes(secret) && !log.includes(auth["x-registry-auth"]));
    const events = await said(
      stage.engine,
      "events",
      "--since",
      "0",
      "--until",
      nextSecond(),
      "--format",
      "{{json .}}",
    );
    assert.ok(!events.includes(auth["x-registry-auth"]));
  });
});
