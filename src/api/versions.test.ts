import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { ImageInspect } from "./answers.ts";
import { imageInspectFor, isAtLeast, parseVersion, pierVersion, upgradeHostConfig } from "./versions.ts";

it("pier's own version is that of the package", () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.equal((manifest as { version: string }).version, pierVersion);
});

describe("a version in the path", () => {
  it("is taken off, and is the newest where there is none", () => {
    assert.deepEqual(parseVersion("/v1.24/containers/json"), { version: "1.24", path: "/containers/json" });
    assert.deepEqual(parseVersion("/v1.51/info"), { version: "1.51", path: "/info" });
    assert.deepEqual(parseVersion("/info"), { version: "1.51", path: "/info" });
    assert.deepEqual(parseVersion("/volumes/v1.20"), { version: "1.51", path: "/volumes/v1.20" });
  });

  it("is refused in Docker's words outside the range", () => {
    assert.throws(() => parseVersion("/v1.52/info"), {
      status: 400,
      message: "client version 1.52 is too new. Maximum supported API version is 1.51",
    });
    assert.throws(() => parseVersion("/v2.0/info"), { status: 400, message: /too new/ });
    assert.throws(() => parseVersion("/v1.23/info"), {
      status: 400,
      message:
        "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
    });
    for (const odd of ["/v1/info", "/v1.9/info", "/v../info", "/v1..3/info"])
      assert.throws(() => parseVersion(odd), { status: 400, message: /too old/ });
  });

  it("compares by number, not by text", () => {
    assert.ok(isAtLeast("1.51", "1.9"));
    assert.ok(isAtLeast("1.42", "1.42"));
    assert.ok(!isAtLeast("1.41", "1.42"));
  });
});

describe("older clients", () => {
  it("read an image as they know it", () => {
    const answer = { Size: 5, Config: { Env: null } } as unknown as ImageInspect;
    assert.deepEqual(imageInspectFor("1.51", answer), answer);
    assert.equal(imageInspectFor("1.49", answer).Config?.Hostname, "");
    assert.equal("VirtualSize" in imageInspectFor("1.44", answer), false);
    assert.equal((imageInspectFor("1.43", answer) as { VirtualSize?: number }).VirtualSize, 5);
  });

  it("mean by nothing what they meant then", () => {
    assert.deepEqual(upgradeHostConfig("1.39", {}), { IpcMode: "shareable" });
    assert.deepEqual(upgradeHostConfig("1.39", { IpcMode: "private" }), { IpcMode: "private" });
    assert.deepEqual(upgradeHostConfig("1.40", {}), {});
  });
});
