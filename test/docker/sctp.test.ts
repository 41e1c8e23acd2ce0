/** SCTP through a published port, spoken by the kernel's own at both ends. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { execute } from "../execute.ts";
import { imageOf } from "../probe/image.ts";
import { Listener, pidOf, runDetached } from "./containers.ts";
import { closeNeighbour, hostAddress, neighbourAddress, openNeighbour } from "./neighbour.ts";

const open = "import socket, sys\nsctp = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)\n";
/** Says back what it hears, and from whom. */
const server = `${open}
sctp.bind(("0.0.0.0", 80))
sctp.listen()
print("listens", flush=True)
while True:
    client, (address, _) = sctp.accept()
    client.send(f"{address} said {client.recv(1000).decode()}".encode())
    client.close()
`;
const client = `${open}
sctp.connect((sys.argv[1], int(sys.argv[2])))
sctp.send(sys.argv[3].encode())
print(sctp.recv(1000).decode())
`;
const lacks = (): string | false =>
  spawnSync("python3", ["-c", open]).status === 0
    ? false
    : "this kernel has no SCTP (sh scripts/test --vm has one that does), or there is no python3";

describe("SCTP", { skip: cannotRun() || lacks() }, () => {
  let engine: Engine;
  let neighbour: ChildProcess;
  before(async () => {
    neighbour = await openNeighbour();
    engine = await Engine.launch();
    await engine.load(await imageOf());
  });
  after(async () => {
    try {
      await engine.stop();
    } finally {
      await closeNeighbour(neighbour);
    }
  });

  test("comes through a published port to its container, which sees from whom", async () => {
    const id = await runDetached(engine, "-p", "24130:80/sctp", "probe", "sleep");
    const within = (pid: string | number, script: string, ...args: readonly string[]) =>
      ["-t", String(pid), "-n", "python3", "-c", script, ...args] as const;
    const serving = new Listener(spawn("nsenter", within(await pidOf(engine, id), server), { stdio: "pipe" }));
    try {
      await serving.seen(/listens/);
      for (const word of ["hello", "again"]) {
        const { stdout, stderr } = await execute("nsenter", within(neighbour.pid!, client, hostAddress, "24130", word));
        assert.deepEqual([stdout, stderr], [`${neighbourAddress} said ${word}\n`, ""]);
      }
    } finally {
      serving.child.kill("SIGKILL");
    }
  });
});
