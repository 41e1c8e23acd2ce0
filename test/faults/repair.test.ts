/** The host's networking is repaired while a container is on its way into it, or out of it: what came back goes again. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { removeAll, until } from "../docker/containers.ts";
import { cannotRun, type Engine } from "../engine.ts";
import { noCompiler } from "../keeper/compile.ts";
import { FaultyBuild } from "./keeper.ts";
import { Requests, succeeds } from "./requests.ts";

const [taken, free] = [21_790, 21_791];

describe("a repair of the network", { skip: cannotRun() || noCompiler }, () => {
  let build: FaultyBuild;
  let engine: Engine;
  let requests: Requests;
  before(async () => {
    build = new FaultyBuild();
    engine = await build.launch();
    requests = new Requests(engine);
  });
  after(async () => {
    await engine.stop();
    build[Symbol.dispose]();
  });
  afterEach(() => removeAll(engine));

  test("while a container starts whose port turns out to be taken leaves nothing of that port", async () => {
    const other = createServer().listen(taken, "127.0.0.1");
    await once(other, "listening");
    const PortBindings = { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: `${taken}-${free}` }] };
    const id = await requests.created({ Image: "probe", Cmd: ["sleep"], HostConfig: { PortBindings } });
    using order = build.arm(id, { place: "outside", index: 0, action: "wait" });
    const started = requests.start(id);
    await order.reached();
    const { body: network } = await engine.request("GET", "/networks/bridge");
    const table = `ip ${JSON.parse(network).Options["com.docker.network.bridge.name"].slice(0, -1)}`;
    execFileSync("nft", [`delete table ${table}`]);
    const rules = (): string =>
      execFileSync("sh", ["-c", `nft list table ${table} 2>&1 || true`], { encoding: "utf8" });
    await until("the port is back", () => rules().includes(String(taken)));
    order.go();
    await succeeds(started);
    other.close();
    await requests.remove(id);
    await engine.assertNothingLeft();
  });
});
