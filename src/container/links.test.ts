import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ContainerId } from "../base/ids.ts";
import { planRelink, relinkedHosts } from "./hosts.ts";
import { linkEnv, namesAmong, parseLink, parseLinkName } from "./links.ts";
import type { ContainerRecord } from "./record.ts";

describe("links on the default network", () => {
  test("are read in all of Docker's forms", () => {
    assert.deepEqual(parseLink("db"), { container: "db", alias: "db" });
    assert.deepEqual(parseLink("db:store"), { container: "db", alias: "store" });
    assert.deepEqual(parseLink("/db:/web/store"), { container: "db", alias: "store" });
  });

  test("are refused when they would say more than a name", () => {
    for (const link of ["", ":", "db:", "a:b:c", "db:x y", "db:x\n10.0.0.1 y", "db:a=b"]) {
      assert.throws(() => parseLink(link), /bad format for links/);
    }
  });

  test("are told by variables: the first port, ranges, every port, the name, and the other's variables", () => {
    const env = ["PATH=/bin", "HOME=/root", "PASSWORD=a=b", "REMOVED"];
    const network = { exposedPorts: ["53/udp", "8001/tcp", "8000/tcp"], ports: [] };
    const request = { network, env } as unknown as Parameters<typeof linkEnv>[0]["request"];
    assert.deepEqual(linkEnv({ request }, "/web/my-db", "my-db", "172.17.0.2"), [
      "MY_DB_PORT=tcp://172.17.0.2:8000",
      "MY_DB_PORT_8000_TCP_START=tcp://172.17.0.2:8000",
      "MY_DB_PORT_8000_TCP_ADDR=172.17.0.2",
      "MY_DB_PORT_8000_TCP_PORT_START=8000",
      "MY_DB_PORT_8000_TCP_PROTO=tcp",
      "MY_DB_PORT_8000_TCP_END=tcp://172.17.0.2:8001",
      "MY_DB_PORT_8000_TCP_PORT_END=8001",
      "MY_DB_PORT_8000_TCP=tcp://172.17.0.2:8000",
      "MY_DB_PORT_8000_TCP_ADDR=172.17.0.2",
      "MY_DB_PORT_8000_TCP_PORT=8000",
      "MY_DB_PORT_8000_TCP_PROTO=tcp",
      "MY_DB_PORT_8001_TCP=tcp://172.17.0.2:8001",
      "MY_DB_PORT_8001_TCP_ADDR=172.17.0.2",
      "MY_DB_PORT_8001_TCP_PORT=8001",
      "MY_DB_PORT_8001_TCP_PROTO=tcp",
      "MY_DB_PORT_53_UDP=udp://172.17.0.2:53",
      "MY_DB_PORT_53_UDP_ADDR=172.17.0.2",
      "MY_DB_PORT_53_UDP_PORT=53",
      "MY_DB_PORT_53_UDP_PROTO=udp",
      "MY_DB_NAME=/web/my-db",
      "MY_DB_ENV_PASSWORD=a=b",
    ]);
  });

  test("lead to the address that the other one has now", () => {
    const text = "127.0.0.1\tlocalhost\n172.17.0.2\tdb abc\n172.17.0.3\tweb\n";
    const now = "127.0.0.1\tlocalhost\n172.17.0.3\tweb\n172.17.0.9\tdb abc\n";
    assert.equal(relinkedHosts(text, "172.17.0.9", ["db", "abc"]), now);
    assert.deepEqual(planRelink("/nowhere/hosts", "172.17.0.9", ["db", "abc"]), []);
  });

  test("have names by which they are called", () => {
    assert.deepEqual(parseLinkName("/web/store"), { owner: "web", alias: "store" });
    assert.deepEqual(parseLinkName("web/store"), { owner: "web", alias: "store" });
    for (const name of ["web", "/web", "web/", "a/b/c"]) assert.equal(parseLinkName(name), undefined);
    const [db, web] = ["d", "e"].map((letter) => letter.repeat(64) as ContainerId);
    const record = (id: string | undefined, name: string, links: object[]) =>
      ({ id, name, request: { network: { links } } }) as unknown as ContainerRecord;
    const records = [record(db, "db", []), record(web, "web", [{ container: db, alias: "store" }])];
    assert.deepEqual(records.map(namesAmong(records)), [["/db", "/web/store"], ["/web"]]);
  });
});
