import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { matchRoute, pathOf, routes } from "./routes.ts";

describe("the table of routes", () => {
  it("finds image names with slashes", () => {
    assert.deepEqual(matchRoute("GET", "/images/ghcr.io/a/b:1/json"), {
      name: "imageInspect",
      values: { name: "ghcr.io/a/b:1" },
    });
    assert.deepEqual(matchRoute("POST", "/images/a/tag/tag"), { name: "imageTag", values: { name: "a/tag" } });
    assert.deepEqual(matchRoute("DELETE", "/images/a/b@sha256:12"), {
      name: "imageDelete",
      values: { name: "a/b@sha256:12" },
    });
  });

  it("does not take a fixed path for a name", () => {
    assert.equal(matchRoute("GET", "/images/json")?.name, "imageList");
    assert.equal(matchRoute("GET", "/images/get")?.name, "imageSaveAll");
    assert.equal(matchRoute("GET", "/containers/json")?.name, "containerList");
    assert.equal(matchRoute("POST", "/networks/create")?.name, "networkCreate");
  });

  it("keeps a container's reference to one segment", () => {
    assert.deepEqual(matchRoute("POST", "/containers/web/start"), { name: "containerStart", values: { id: "web" } });
    assert.equal(matchRoute("POST", "/containers/a/b/start"), undefined);
    assert.equal(matchRoute("GET", "/containers//json"), undefined);
  });

  it("finds nothing for unknown paths and other methods", () => {
    assert.equal(matchRoute("GET", "/nothing"), undefined);
    assert.equal(matchRoute("PUT", "/containers/json"), undefined);
    assert.equal(matchRoute("GET", "/containers/json/"), undefined);
  });

  it("builds the path that it matches, for every route", () => {
    for (const name of Object.keys(routes) as (keyof typeof routes)[]) {
      const path = pathOf(name, { id: "a b", name: "r/a b" });
      assert.equal(matchRoute(routes[name].method, decodeURIComponent(path))?.name, name);
    }
  });

  it("escapes what would change the path", () => {
    assert.equal(pathOf("containerStart", { id: "a/../b?x" }), "/containers/a%2F..%2Fb%3Fx/start");
    assert.equal(pathOf("imageInspect", { name: "a/b:1" }), "/images/a/b%3A1/json");
  });
});
