import assert from "node:assert/strict";
import { test } from "node:test";
import { networkNames } from "./names.ts";
import { testEndpoint, testNetwork } from "./test-endpoint.ts";

const back = { ...testNetwork, id: "b".repeat(64), name: "back" };
const member = (id: string, name: string, address: string, aliases: readonly string[] = []) => ({
  id: id.repeat(64),
  name,
  hostname: id.repeat(12),
  endpoints: [{ ...testEndpoint(address, [], back), aliases }],
});

test("a container goes by its name, its aliases, its short id and its host name, each network for itself", () => {
  const web = member("a", "Web", "172.18.0.2", ["www"]);
  const both = { ...web, hostname: "box", endpoints: [...web.endpoints, testEndpoint("172.17.0.2")] };
  const names = networkNames([both]);
  assert.deepEqual([...names.keys()], [back.id, testNetwork.id]);
  assert.deepEqual([...names.get(back.id)!.keys()], ["web", "www", "aaaaaaaaaaaa", "box"]);
  assert.deepEqual([...names.get(testNetwork.id)!.keys()], ["web", "aaaaaaaaaaaa", "box"]);
});

test("those who share an alias are all found by it", () => {
  const names = networkNames([member("a", "one", "172.18.0.2", ["db"]), member("c", "two", "172.18.0.3", ["DB"])]);
  assert.deepEqual(
    names
      .get(back.id)!
      .get("db")!
      .map(({ address }) => address),
    ["172.18.0.2", "172.18.0.3"],
  );
});
