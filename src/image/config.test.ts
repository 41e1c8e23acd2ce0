import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PierError } from "../base/errors.ts";
import { emptyConfig, parseConfig } from "./config.ts";

const rootfs = { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] };
const parse = (document: unknown) => parseConfig(new TextEncoder().encode(JSON.stringify(document)));

describe("the configuration of an image", () => {
  test("without anything is Linux, and starts with nothing", () => {
    const { config, os, layers, created } = parse({ rootfs });
    assert.deepEqual([config, os, layers, created], [emptyConfig, "linux", rootfs.diff_ids, ""]);
  });

  test("has sets and maps without prototypes, and a command of one string", () => {
    const { config } = parse({
      rootfs,
      config: { Cmd: "sh", ExposedPorts: { "80/tcp": {} }, Volumes: { "/v": null }, Labels: { a: "b" } },
    });
    assert.deepEqual(config.Cmd, ["sh"]);
    assert.deepEqual(Object.keys(config.Volumes!), ["/v"]);
    assert.equal(Object.getPrototypeOf(config.ExposedPorts), null);
    assert.equal(Object.getPrototypeOf(config.Labels), null);
  });

  for (const [what, document, sentence] of [
    ["no rootfs", {}, /it has no rootfs/],
    ["another kind of rootfs", { rootfs: { type: "files" } }, /rootfs\.type must be "layers", not "files"/],
    ["a diff id of another algorithm", { rootfs: { type: "layers", diff_ids: ["md5:0"] } }, /must be a sha256 digest/],
    ["a time that is none", { rootfs, created: "yesterday" }, /created must be a time/],
    ["another system", { rootfs, os: "windows" }, /^cannot load windows image on linux$/],
    ["a number where text belongs", { rootfs, config: { Env: [1] } }, /config\.Env\[0\] must be a string, not 1/],
    ["an interval beyond 2^53", { rootfs, config: { Healthcheck: { Interval: 1e300 } } }, /whole number/],
    ["129 layers", { rootfs: { type: "layers", diff_ids: Array(129).fill(rootfs.diff_ids[0]) } }, /max depth exceeded/],
  ] as const) {
    test(`with ${what} is refused`, () => {
      assert.throws(
        () => parse(document),
        (error) => error instanceof PierError && error.status === 400 && sentence.test(error.message),
      );
    });
  }
});
