import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseConfig } from "./config.ts";
import { parseRuntimes } from "./runtimes.ts";

describe("runtimes", () => {
  test("are named by words, and by daemon.json as dockerd reads it", () => {
    assert.deepEqual(parseRuntimes(["crun=/usr/bin/crun", "a.b-c=x=y"], "crun"), {
      programs: new Map([
        ["crun", { path: "/usr/bin/crun", args: [] }],
        ["a.b-c", { path: "x=y", args: [] }],
      ]),
      default: "crun",
    });
    const runtimes = { crun: { path: "crun", runtimeArgs: ["--debug", "a b"] }, other: { path: "/o" } };
    const options = parseConfig(JSON.stringify({ runtimes, "default-runtime": "other" }), "f");
    assert.deepEqual(parseRuntimes(options.get("add-runtime") ?? [], options.get("default-runtime")?.[0]), {
      programs: new Map([
        ["crun", { path: "crun", args: ["--debug", "a b"] }],
        ["other", { path: "/o", args: [] }],
      ]),
      default: "other",
    });
    assert.deepEqual(parseRuntimes([], "runc"), { programs: new Map(), default: "runc" });
  });

  test("that are none are refused", () => {
    const refuses = (message: RegExp, words: readonly string[], usual?: string) =>
      assert.throws(() => parseRuntimes(words, usual), { message });
    for (const word of ["crun", "=x", "crun=", "a/b=c", "crun={}", "crun={half"])
      refuses(/names no runtime and its program$/, [word]);
    refuses(/^runtime name 'runc' is reserved$/, ["runc=/bin/runc"]);
    refuses(/^runtime name 'pier' is reserved$/, ["pier=/bin/pier"]);
    refuses(/^specified default runtime 'crun' does not exist$/, [], "crun");
    refuses(/shim of containerd's/, ['kata={"runtimeType": "io.containerd.kata.v2"}']);
  });
});
