import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddressPool } from "../../network/pools.ts";
import { defaultSettings, parseMirror, proxiesFrom } from "../../registry/settings.ts";
import { toldAnswer } from "./told.ts";

describe("what a daemon says of what it was told", () => {
  test("is Docker Hub and loopback, where it was told nothing", () => {
    assert.deepEqual(toldAnswer(defaultSettings, []), {
      RegistryConfig: {
        InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8"],
        IndexConfigs: { "docker.io": { Name: "docker.io", Mirrors: [], Secure: true, Official: true } },
        Mirrors: [],
      },
      HttpProxy: "",
      HttpsProxy: "",
      NoProxy: "",
    });
  });

  test("is mirrors, what may do without encryption, proxies without their passwords, and pools", () => {
    const mirrors = new Map(
      ["https://hub.example/", "ghcr.io=https://other.example"].map(parseMirror).map(([at, url]) => [at, [url]]),
    );
    const proxies = proxiesFrom({ HTTP_PROXY: "http://me:secret@proxy:3128", NO_PROXY: "local, .intern" });
    const told = toldAnswer({ mirrors, insecure: ["10.0.0.0/8", "reg:5000"], proxies }, [
      parseAddressPool("base=10.95.0.0/16,size=24")!,
    ]);
    assert.deepEqual(told.RegistryConfig, {
      InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8", "10.0.0.0/8"],
      IndexConfigs: {
        "docker.io": { Name: "docker.io", Mirrors: ["https://hub.example/"], Secure: true, Official: true },
        "reg:5000": { Name: "reg:5000", Mirrors: [], Secure: false, Official: false },
      },
      Mirrors: ["https://hub.example/"],
    });
    assert.equal(told.HttpProxy, "http://xxxxx:xxxxx@proxy:3128");
    assert.equal(told.NoProxy, "local,.intern");
    assert.deepEqual(told.DefaultAddressPools, [{ Base: "10.95.0.0/16", Size: 24 }]);
  });
});
