/** The host's networking is repaired while a container is on its way into it, or out of it: what came back goes again. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { until } from "../docker/containers.ts";
import { cannotRun, type Engine } from "../engine.ts";
import { noCompiler } from "../keeper/compile.ts";
import { useFaultyEngine } from "./faulty.ts";
import type { FaultyBuild } from "./keeper.ts";
import { type Requests, succeeds } from "./requests.ts";

const run = promisify(execFile);
const rounds = process.env.PIER_LONG === "1" ? 100 : 10;
const [taken, free] = [21_790, 21_791];

describe("a repair of the network", { skip: cannotRun() || noCompiler }, () => {
  let build: FaultyBuild;
  let engine: Engine;
  let requests: Requests;
  useFaultyEngine((faulty) => {
    ({ build, engine, requests } = faulty);
  });

  const tableOf = async (): Promise<string> => {
    const { body } = await engine.request("GET", "/networks/bridge");
    return `ip ${JSON.parse(body).Options["com.docker.network.bridge.name"].slice(0, -1)}`;
  };
  /** Empty where there is no such table just now. */
  const nft = (...command: readonly string[]): Promise<string> =>
    run("nft", command).then(
      ({ stdout }) => stdout,
      () => "",
    );

  test("after repair, while containers start, fail and end, leaves nothing of theirs", async () => {
    const table = await tableOf();
    const PortBindings = { "80/tcp": [{ HostIp: "127.0.0.1" }, { HostIp: "0.0.0.0" }] };
    let over = false;
    const harm = async (): Promise<void> => {
      while (!over) {
        await nft(`flush chain ${table} forward`);
        await until("the rules are back", async () => (await nft(`list chain ${table} forward`)).includes("accept"));
      }
    };
    const live = async (Cmd: readonly string[]): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const id = await requests.created({ Image: "probe", Cmd, HostConfig: { PortBindings } });
        await requests.start(id);
        await requests.post(`/containers/${id}/kill`);
        await requests.remove(id);
      }
    };
    const harming = harm();
    await Promise.all([live(["sleep"]), live(["sleep"]), live(["exit", "0"])]);
    over = true;
    await harming;
    await engine.assertNothingLeft();
  });

  test("while a container starts whose port turns out to be taken leaves nothing of that port", async () => {
    const other = createServer().listen(taken, "127.0.0.1");
    await once(other, "listening");
    const PortBindings = { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: `${taken}-${free}` }] };
    const id = await requests.created({ Image: "probe", Cmd: ["sleep"], HostConfig: { PortBindings } });
    using order = build.arm(id, { place: "outside", index: 0, action: "wait" });
    const started = requests.start(id);
    await order.reached();
    const table = await tableOf();
    await nft(`delete table ${table}`);
    await until("the port is back", async () => (await nft(`list table ${table}`)).includes(String(taken)));
    order.go();
    await succeeds(started);
    other.close();
    await requests.remove(id);
    await engine.assertNothingLeft();
  });
});
