import assert from "node:assert/strict";
import { test } from "node:test";
import { testEndpoint } from "../network/test-endpoint.ts";
import { changedHosts } from "./hosts.ts";

const file = "127.0.0.1\tlocalhost\n10.9.9.9\tmine\n172.17.0.2\tbox.example.org box\n";
const [first, second] = [testEndpoint("172.17.0.2"), testEndpoint("172.17.0.3")];

test("a new address has the container's names, one that is gone has none, and all else stays", () => {
  const joined = changedHosts(file, { before: [first], after: [first, second] }, "");
  assert.equal(joined, `${file}172.17.0.3\tbox.example.org box\n`);
  const left = changedHosts(joined, { before: [first, second], after: [second] }, "");
  assert.equal(left, file.replace("172.17.0.2", "172.17.0.3"));
});

test("a file that says nothing of the container is left as it is", () => {
  const other = "127.0.0.1\tlocalhost\n";
  assert.equal(changedHosts(other, { before: [first], after: [first, second] }, "box"), other);
});

test("who had no address until now has its own names", () => {
  const none = "127.0.0.1\tlocalhost\n";
  assert.equal(changedHosts(none, { before: [], after: [first] }, "box"), `${none}172.17.0.2\tbox\n`);
});
