import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostPlatform, orderPlatforms, platformText, toldPlatform } from "./platform.ts";

const arm = { os: "linux", architecture: "arm", variant: "v7" };
const other = { os: "linux", architecture: hostPlatform.architecture === "s390x" ? "riscv64" : "s390x" };

describe("platforms of a build", () => {
  test("are each built once, this machine's first, the others in the order in which they were asked for", () => {
    assert.deepEqual(orderPlatforms([arm, other, hostPlatform, arm]), [hostPlatform, arm, other]);
    assert.deepEqual(orderPlatforms([other, arm]), [other, arm]);
  });

  test("are told as BuildKit does", () => {
    assert.equal(platformText(arm), "linux/arm/v7");
    assert.equal(toldPlatform(arm, arm), "linux/arm/v7");
    assert.equal(toldPlatform(arm, other), `linux/${other.architecture}->arm/v7`);
  });
});
