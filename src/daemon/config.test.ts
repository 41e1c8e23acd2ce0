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
      debug: ["true"],
      "max-concurrent-downloads": ["5"],
      host: ["unix:///x"],
    });
    assert.deepEqual(Object.fromEntries(parseConfig('{"tlsverify": true, "tlscacert": "/ca.pem"}', "f")), {
      tlsverify: ["true"],
      tlscacert: ["/ca.pem"],
    });
    assert.equal(parseConfig("", "f").size, 0);
  });

  test("has every option of the command that dockerd's has a key for, in dockerd's shapes", () => {
    const document = {
      "registry-mirrors": ["https://mirror.example"],
      "insecure-registries": ["registry.example:5000", "10.0.0.0/8"],
      "max-concurrent-downloads": 4,
      "max-concurrent-uploads": 2,
      "default-address-pools": [
        { base: "10.10.0.0/16", size: 24 },
        { base: "fd00:1::/48", size: 64 },
      ],
    };
    const directory = mkdtempSync(join(tmpdir(), "pier-config-"));
    const file = join(directory, "daemon.json");
    const parse = (value: unknown) => {
      writeFileSync(file, JSON.stringify(value));
      return parseOptions(["--config-file", file]);
    };
    try {
      const options = parse(document);
      assert.deepEqual(
        options?.addressPools?.map(({ base, size }) => [base.family, base.prefix, size]),
        [
          [4, 16, 24],
          [6, 48, 64],
        ],
      );
      const { mirrors, insecure, downloads, uploads } = options!.registries;
      assert.deepEqual([mirrors?.size, insecure?.length, downloads, uploads], [1, 2, 4, 2]);
      assert.throws(() => parse({ "default-address-pools": [{ base: "10.10.0.0/16", size: 4 }] }), /10\.10\.0\.0\/16/);
      assert.throws(
        () => parse({ "default-address-pools": { base: "10.10.0.0/16", size: 24 } }),
        /default-address-pools/,
      );
      assert.throws(() => parse({ "default-address-pools": [{ base: "10.10.0.0/16" }] }), /10\.10\.0\.0\/16/);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("says what log containers have that name none, and what is instead of what pier does not have", () => {
    const options = parseConfig('{"log-driver": "local", "log-opts": {"max-size": "1m", "max-file": "2"}}', "f");
    assert.deepEqual(Object.fromEntries(options), {
      "log-driver": ["local"],
      "log-opt": ["max-size=1m", "max-file=2"],
    });
    assert.throws(() => parseConfig('{"log-opts": {"max-file": 2}}', "f"), /max-file/);
    assert.throws(
      () => parseConfig('{"storage-driver": "overlay2"}', "f"),
      /layers are mounted as --layer-format says/,
    );
    for (const key of ["features", "builder", "labels", "proxies", "ip", "log-format", "max-download-attempts"]) {
      assert.throws(() => parseConfig(JSON.stringify({ [key]: {} }), "f"), { code: "dockerdOption" });
    }
    assert.throws(() => parseConfig('{"host-gateway-ip": "192.0.2.1"}', "f"), /the default network's bridge/);
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
