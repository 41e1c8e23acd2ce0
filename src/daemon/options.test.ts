import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseOptions } from "./options.ts";

describe("the daemon's options", () => {
  it("have defaults that belong together", () => {
    assert.deepEqual(parseOptions([]), {
      root: "/var/lib/pier",
      run: "/run/pier",
      socket: "/run/pier/pier.sock",
      logLevel: "info",
      layerFormat: undefined,
      registries: { mirrors: new Map(), insecure: [] },
      addressPools: undefined,
      configFile: undefined,
    });
    assert.equal(parseOptions(["--run", "/tmp/x"])?.socket, "/tmp/x/pier.sock");
  });

  it("are taken with and without an equals sign", () => {
    const options = parseOptions(["--root=/a", "-H", "unix:///b.sock", "--log-level=debug", "--layer-format", "loop"]);
    assert.deepEqual([options?.root, options?.socket, options?.logLevel], ["/a", "/b.sock", "debug"]);
    assert.equal(options?.layerFormat, "loop");
    const pools = parseOptions(["--default-address-pool", "base=10.10.0.0/16,size=24"])?.addressPools;
    assert.deepEqual(
      pools?.map(({ size }) => size),
      [24],
    );
  });

  it("are refused with a sentence", () => {
    assert.throws(() => parseOptions(["--foo"]), { message: "unknown option --foo" });
    assert.throws(() => parseOptions(["--root"]), { message: "--root needs a value" });
    assert.throws(() => parseOptions(["-H", "tcp://0.0.0.0:2375"]), { message: /is not a unix socket/ });
    assert.throws(() => parseOptions(["--default-address-pool=10.0.0.0/8"]), { message: /is no pool of addresses/ });
    assert.throws(() => parseOptions(["--log-level", "loud"]), { message: "loud is no log level" });
    assert.throws(() => parseOptions(["--layer-format", "zfs"]), { message: "zfs is no way to mount a layer" });
  });

  it("ask for help", () => assert.equal(parseOptions(["--help"]), undefined));
});
