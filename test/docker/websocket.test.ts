/** Attaching as web terminals do. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { cannotRun, Engine } from "../engine.ts";
import { busybox, said, until } from "./containers.ts";

describe("attach over WebSocket", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  const open = async (name: string, query: string, headers: Record<string, string> = {}) => {
    const client = new WebSocket(`ws+unix://${engine.socket}:/v1.51/containers/${name}/attach/ws?${query}`, {
      headers,
    });
    const heard = { text: "" };
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.on("message", (message: Buffer) => {
      heard.text += message.toString();
    });
    await new Promise<void>((resolve, reject) => client.once("open", () => resolve()).once("error", reject));
    return { client, heard, closed };
  };

  test("what is typed reaches the container, what it says comes back raw, its end closes", async () => {
    await said(
      engine,
      "run",
      "-d",
      "-i",
      "--network",
      "none",
      "--name",
      "talks",
      busybox,
      "sh",
      "-c",
      "while read line; do echo out $line; echo err $line >&2; [ $line = bye ] && exit 0; done",
    );
    const { client, heard, closed } = await open("talks", "stream=1&stdin=1&stdout=1&stderr=1");
    client.send("one\n");
    await until("it answers", () => heard.text.includes("out one\n") && heard.text.includes("err one\n"));
    client.send(Buffer.from("bye\n"));
    await closed;
    assert.match(heard.text, /out bye\n/);
    assert.equal(await said(engine, "wait", "talks"), "0");
  });

  test("a terminal is attached to, its log first; a client that goes leaves it alone", async () => {
    await said(
      engine,
      "run",
      "-d",
      "-t",
      "--network",
      "none",
      "--name",
      "terminal",
      busybox,
      "sh",
      "-c",
      "echo said before; sleep 1000",
    );
    await until("it has said it", async () => (await said(engine, "logs", "terminal")).includes("before"));
    const { client, heard, closed } = await open("terminal", "logs=1&stream=1&stdout=1");
    await until("the log is replayed", () => heard.text.includes("said before\r\n"));
    client.close();
    await closed;
    assert.equal(await said(engine, "inspect", "--format", "{{.State.Running}}", "terminal"), "true");
    await said(engine, "rm", "-f", "terminal", "talks");
  });

  test("web pages are refused, and so is who does not speak WebSocket", async () => {
    await said(engine, "run", "-d", "--network", "none", "--name", "quiet", busybox, "sleep", "1000");
    await assert.rejects(
      open("quiet", "stream=1&stdout=1", { Origin: "https://example.com" }),
      /403|[Uu]nexpected|[Ee]xpected/,
    );
    await assert.rejects(open("absent", "stream=1&stdout=1"), /404|[Uu]nexpected|[Ee]xpected/);
    const plain = await engine.request("GET", "/v1.51/containers/quiet/attach/ws?stream=1&stdout=1");
    assert.equal(plain.status, 400);
    const page = await engine.request("POST", "/v1.51/containers/quiet/kill", undefined, { origin: "null" });
    assert.equal(page.status, 403);
    assert.equal(await said(engine, "inspect", "--format", "{{.State.Running}}", "quiet"), "true");
    await said(engine, "rm", "-f", "quiet");
  });
});
