import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig } from "./config.ts";
import { parseOptions } from "./options.ts";

describe("daemon.json", () => {
  test("has dockerd's keys", () => {
    const options = parseConfig(
      '{"data-root": "/data", "debug": true, "max-concurrent-downloads": 5, "hosts": ["unix:///x"]}',
      "f",
    );
    assert.deepEqual(Object.fromEntries(options), {
      root: ["/data"],
      "log-level": ["debug"],
      "max-concurrent-downloads": ["5"],
      host: ["unix:///x"],
    });
    assert.equal(parseConfig("", "f").size, 0);
  });

  test("is refused where it is none, or says what nobody knows", () => {
    assert.throws(() => parseConfig("{", "/f"), /^PierError: \/f cannot be read: |\/f cannot be read/);
    assert.throws(() => parseConfig("[]", "/f"), /\/f cannot be read/);
    assert.throws(
      () => parseConfig('{"dns-serch": []}', "/f"),
      /directives in \/f don't match any configuration option: dns-serch/,
    );
    assert.throws(
      () => parseConfig('{"max-concurrent-uploads": "5"}', "/f"),
      /max-concurrent-uploads is not a whole number/,
    );
  });

  test("is what the words of the command do not say, and may not contradict them", () => {
    const directory = mkdtempSync(join(tmpdir(), "pier-config-"));
    const file = join(directory, "daemon.json");
    try {
      writeFileSync(file, JSON.stringify({ "data-root": "/data", "registry-mirrors": ["https://mirror.example"] }));
      const options = parseOptions(["--config-file", file, "--run", "/tmp/r"]);
      assert.deepEqual([options?.root, options?.run, options?.configFile], ["/data", "/tmp/r", file]);
      assert.equal(options?.registries.mirrors?.size, 1);
      assert.throws(() => parseOptions(["--config-file", file, "--root", "/other"]), /specified both as a flag and in/);
      assert.throws(() => parseOptions(["--config-file", `${file}.absent`]), /cannot be read/);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
