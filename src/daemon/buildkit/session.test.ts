import assert from "node:assert/strict";
import { test } from "node:test";
import { Sessions } from "./session.ts";

test("a build that names a session which never comes does not wait for ever", async () => {
  const sessions = new Sessions(1);
  await assert.rejects(sessions.find("none", new AbortController().signal), /there is no session none/);
  await assert.rejects(new Sessions().find("gone", AbortSignal.timeout(1)), /there is no session gone/);
});
