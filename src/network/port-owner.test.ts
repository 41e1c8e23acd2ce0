import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { findPortOwner, parseSctpSockets, parseSockets } from "./port-owner.ts";

test("whoever listens at a port is found by its socket", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const owner = findPortOwner({ protocol: "tcp", hostAddress: "0.0.0.0", hostPort: port, containerPort: 80 });
  assert.deepEqual(owner, { pid: process.pid, name: readFileSync("/proc/self/comm", "utf8").trim() });
  server.close();
  await once(server, "close");
  assert.equal(findPortOwner({ protocol: "tcp", hostAddress: "::", hostPort: port, containerPort: 80 }), undefined);
});

test("connections from a port are not in the way of who listens, but datagrams are", () => {
  const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const line = (state: string, inode: number) =>
    `   0: 0100007F:1F90 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0\n`;
  const table = head + line("0A", 11) + line("01", 12);
  assert.deepEqual(parseSockets(table, 8080, true), ["11"]);
  assert.deepEqual(parseSockets(table, 8080, false), ["11", "12"]);
  assert.deepEqual(parseSockets(table, 8081, true), []);
});

test("whoever listens at a port of SCTP is in a table of its own", () => {
  const table = ` ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS
ffff8881 ffff8882 2   10  44   8080      0 30001 0.0.0.0
ffff8883 ffff8884 0   10  45   8081   1000 30002 10.0.0.1 10.0.0.2
`;
  assert.deepEqual(parseSctpSockets(table, 8080), ["30001"]);
  assert.deepEqual(parseSctpSockets(table, 8081), ["30002"]);
  assert.deepEqual(parseSctpSockets(table, 10), []);
  assert.deepEqual(parseSctpSockets("", 8080), []);
});
