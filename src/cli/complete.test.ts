import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client, unixAddress } from "../api/client.ts";
import { complete } from "./complete.ts";

const nobody = new Client(unixAddress("/nowhere/pier.sock"));

describe("completion", () => {
  test("knows commands, groups and their commands", async () => {
    assert.deepEqual(await complete(["unp"], nobody), ["unpause"]);
    assert.ok((await complete([""], nobody)).includes("container"));
    assert.deepEqual(await complete(["container", "pru"], nobody), ["prune"]);
    assert.deepEqual(await complete(["absent", ""], nobody), []);
  });

  test("knows every flag of a command, from its table", async () => {
    assert.deepEqual(await complete(["run", "--health-st"], nobody), [
      "--health-start-interval",
      "--health-start-period",
    ]);
    assert.deepEqual(await complete(["container", "ls", "--no"], nobody), ["--no-trunc"]);
    assert.deepEqual(await complete(["stop", "-t", "1", "--sig"], nobody), ["--signal"]);
  });

  test("knows the contexts, for which no daemon is asked", async () => {
    assert.ok((await complete(["context", "use", "de"], nobody)).includes("default"));
  });

  test("says nothing where no daemon runs", async () => {
    assert.deepEqual(await complete(["stop", ""], nobody), []);
  });
});
