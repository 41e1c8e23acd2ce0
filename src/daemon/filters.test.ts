import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Filters } from "./filters.ts";

const allowed = ["name", "label", "status"];

describe("filters", () => {
  it("are read in both of Docker's forms", () => {
    assert.deepEqual(Filters.parse('{"name":["a","b"]}', allowed).get("name"), ["a", "b"]);
    assert.deepEqual(Filters.parse('{"name":{"a":true,"b":false}}', allowed).get("name"), ["a"]);
    assert.equal(Filters.parse("", allowed).has("name"), false);
    assert.equal(Filters.parse("{}", allowed).has("name"), false);
  });

  it("are refused in Docker's words", () => {
    for (const text of ["x", "[]", '"name"', '{"name":"a"}', '{"name":[1]}', "{"])
      assert.throws(() => Filters.parse(text, allowed), { status: 400, message: "invalid filter" });
    assert.throws(() => Filters.parse('{"foo":["x"]}', allowed), { status: 400, message: "invalid filter 'foo'" });
    assert.throws(() => Filters.parse('{"__proto__":["x"]}', allowed), { message: "invalid filter '__proto__'" });
  });

  it("find every label that is asked for, by key or with its value", () => {
    const labels = { a: "1", b: "x=y" };
    const has = (...asked: string[]) => Filters.parse(JSON.stringify({ label: asked }), allowed).labels(labels);
    assert.ok(has("a"));
    assert.ok(has("a=1", "b=x=y"));
    assert.ok(!has("a", "c"));
    assert.ok(!has("a=2"));
    assert.ok(!has("toString"));
  });

  it("spare in a prune what has every label of label!", () => {
    const prunes = (filters: object) => Filters.read(JSON.stringify(filters)).prunes({ a: "1", b: "2" });
    assert.ok(prunes({}));
    assert.ok(prunes({ label: ["a"], "label!": ["c"] }));
    assert.ok(prunes({ "label!": ["a", "c"] }), "as Docker: one of them is not enough");
    assert.ok(!prunes({ "label!": ["a", "b=2"] }));
    assert.ok(!prunes({ label: ["c"], "label!": ["c"] }));
  });

  it("match names by patterns, as Docker does", () => {
    const matches = (pattern: string, name: string) =>
      Filters.parse(JSON.stringify({ name: [pattern] }), allowed).patterns("name")(name);
    assert.ok(matches("we", "my-web-1"));
    assert.ok(matches("^web", "web1"));
    assert.ok(!matches("^web$", "web1"));
    assert.ok(matches("web.*1", "web-01"));
    assert.ok(matches("[", "["), "what is no pattern matches itself");
    assert.ok(!matches("[", "web"));
  });

  it("refuse patterns that could take for ever", () => {
    for (const pattern of ["(a+)+$", "(a|a)*b", "a*a*a*a*b", "(?=a)a", "(a)\\1", "x".repeat(501)]) {
      const filters = Filters.parse(JSON.stringify({ name: [pattern] }), allowed);
      assert.throws(() => filters.patterns("name"), { status: 400 });
    }
  });
});
