import assert from "node:assert/strict";
import { test } from "node:test";
import { namesOf } from "./names.ts";

test("a container is called by its name first, its aliases, its short id and its host name, each once", () => {
  const member = { id: "0123456789abcdef", name: "web", hostname: "0123456789ab" };
  assert.deepEqual(namesOf(member, { aliases: ["www", "web"] }), ["web", "www", "0123456789ab"]);
  assert.deepEqual(namesOf({ ...member, hostname: "box" }, { aliases: [] }), ["web", "0123456789ab", "box"]);
});
