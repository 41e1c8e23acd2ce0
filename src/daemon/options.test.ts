import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseOptions } from "./options.ts";

describe("the daemon's options", () => {
  it("have defaults that belong together", () => {
    assert.deepEqual(parseOptions([]), {
      root: "/var/lib/pier",
      run: "/run/pier",
      addresses: [],
      logLevel: "info",
      layerFormat: undefined,
      registries: { mirrors: new Map(), insecure: [] },
      addressPools: undefined,
      configFile: undefined,
      logDefaults: { driver: "json-file", options: {} },
      runtimes: { programs: new Map(), default: "pier" },
      pidFile: undefined,
      validate: false,
    });
  });

  it("are taken with and without an equals sign", () => {
    const options = parseOptions(["--root=/a", "-H", "unix:///b.sock", "--log-level=debug", "--layer-format", "loop"]);
    assert.deepEqual(
      [options?.root, options?.addresses, options?.logLevel],
      ["/a", [{ kind: "unix", path: "/b.sock" }], "debug"],
    );
    assert.equal(options?.layerFormat, "loop");
    const pools = parseOptions(["--default-address-pool", "base=10.10.0.0/16,size=24"])?.addressPools;
    assert.deepEqual(
      pools?.map(({ size }) => size),
      [24],
    );
  });

  it("let nobody in over the network who cannot prove who it is", () => {
    for (const words of [
      ["-H", "tcp://0.0.0.0:2375"],
      ["-H", "tcp://[::]:2375"],
      ["-H", "tcp://192.0.2.1", "--tls"],
      ["-H", "tcp://192.0.2.1", "--tlsverify=false"],
      // Names can be made to mean anything.
      ["-H", "tcp://evil.localhost:2375"],
    ]) {
      assert.throws(() => parseOptions(words), { message: /would be root of this machine/ }, words.join(" "));
    }
    const addresses = (...words: readonly string[]) =>
      parseOptions(words)?.addresses.map((one) =>
        one.kind === "tcp" ? [one.host, one.port, one.tls?.clients, one.tls?.certificate] : one.kind,
      );
    assert.deepEqual(addresses("-H", "tcp://:4000", "-H", "tcp://[::1]", "-H", "fd://"), [
      ["127.0.0.1", 4000, undefined, undefined],
      ["::1", 2375, undefined, undefined],
      "systemd",
    ]);
    assert.deepEqual(addresses("-H", "tcp://192.0.2.1", "--tlsverify", "--tlscert", "/c"), [
      ["192.0.2.1", 2376, "/etc/pier/ca.pem", "/c"],
    ]);
    assert.deepEqual(addresses("--tls", "-H", "tcp://localhost"), [
      ["127.0.0.1", 2376, undefined, "/etc/pier/cert.pem"],
    ]);
  });

  it("are refused with a sentence", () => {
    assert.throws(() => parseOptions(["--foo"]), { message: "unknown option --foo" });
    assert.throws(() => parseOptions(["--root"]), { message: "--root needs a value" });
    assert.throws(() => parseOptions(["-H", "npipe://x"]), { message: /is nothing that clients could connect to/ });
    assert.throws(() => parseOptions(["--default-address-pool=10.0.0.0/8"]), { message: /is no pool of addresses/ });
    assert.throws(() => parseOptions(["--log-level", "loud"]), { message: "loud is no log level" });
    assert.throws(() => parseOptions(["--layer-format", "zfs"]), { message: "zfs is no way to mount a layer" });
  });

  it("have the names that dockerd has for them", () => {
    const words =
      "--data-root /d --exec-root=/e -D -p /p.pid --live-restore --log-driver local --log-opt max-size=1m --log-opt tag=a=b";
    const options = parseOptions([...words.split(" "), "--validate"]);
    assert.deepEqual(
      [options?.root, options?.run, options?.logLevel, options?.pidFile, options?.validate],
      ["/d", "/e", "debug", "/p.pid", true],
    );
    assert.deepEqual(options?.logDefaults, { driver: "local", options: { "max-size": "1m", tag: "a=b" } });
    assert.equal(parseOptions(["-l", "warn", "--debug=false"])?.logLevel, "warn");
  });

  it("of dockerd's that are not there say what is instead", () => {
    assert.throws(() => parseOptions(["--storage-driver", "overlay2"]), {
      message: "pier has no --storage-driver as dockerd does: layers are mounted as --layer-format says",
    });
    assert.throws(() => parseOptions(["--live-restore=false"]), { message: /containers live on when the daemon ends/ });
    assert.throws(() => parseOptions(["--log-driver", "gelf"]), {
      message: /the logging driver gelf is not supported/,
    });
    assert.throws(() => parseOptions(["--log-opt", "size=1"]), {
      message: "unknown log opt 'size' for json-file log driver",
    });
  });

  it("ask for help", () => assert.equal(parseOptions(["--help"]), undefined));
});
