// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles are what is tested
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseDockerfile } from "./dockerfile/stages.ts";
import { type Base, planGraph, withTriggers } from "./graph.ts";
import type { BuildRequest } from "./request.ts";

const platform = { os: "linux", architecture: "arm64", variant: "v8" };
const plan = (text: string, target = "", args: Record<string, string> = {}, noCache: BuildRequest["noCache"] = []) =>
  planGraph(parseDockerfile(text), {
    target,
    args: new Map(Object.entries(args)),
    platform,
    noCache,
    contexts: new Map(),
  });
const told = (base: Base): string =>
  base.kind === "image" ? base.name : base.kind === "stage" ? `stage ${base.index}` : base.kind;
const basesOf = (text: string, target = "", args: Record<string, string> = {}) =>
  plan(text, target, args).stages.map(({ stage, base }) => `${stage.index}: ${told(base)}`);

const several = `
FROM debian AS base
FROM base AS build
FROM alpine AS unused
FROM scratch
COPY --from=build /a /a
COPY --from=nginx /b /b
RUN --mount=from=tools,target=/t true
FROM debian AS tools
FROM unused AS other
`;

describe("the stages of a build", () => {
  test("are those that the target needs, wherever they stand", () => {
    assert.deepEqual(basesOf(several, "3"), ["0: debian", "1: stage 0", "3: scratch", "4: debian"]);
    assert.deepEqual(basesOf(several, "BUILD"), ["0: debian", "1: stage 0"]);
    assert.deepEqual(basesOf(several), ["2: alpine", "5: stage 2"]);
  });

  test("are made anew where they are named, with those that are built on them", () => {
    const text =
      "FROM a AS one\nFROM one AS two\nFROM a AS three\nCOPY --from=two / /\nCOPY --from=one / /\nFROM three";
    const fresh = (noCache: BuildRequest["noCache"]) =>
      plan(text, "", {}, noCache).stages.flatMap(({ stage, isFresh }) => (isFresh ? [stage.index] : []));
    assert.deepEqual(fresh([]), []);
    assert.deepEqual(fresh(["ONE"]), [0, 1]);
    assert.deepEqual(fresh(["three", "none"]), [2, 3]);
    assert.deepEqual(fresh("all"), [0, 1, 2, 3]);
  });

  test("have bases with variables, and the platform's own", () => {
    const text = "ARG name=debian\nARG tag=${name}-1\nFROM $name:$tag-$TARGETARCH$TARGETVARIANT";
    assert.deepEqual(basesOf(text), ["0: debian:debian-1-arm64v8"]);
    assert.deepEqual(basesOf(text, "", { name: "x" }), ["0: x:x-1-arm64v8"]);
    assert.equal(plan("FROM --platform=$TARGETPLATFORM a").stages[0]!.platform, "linux/arm64/v8");
  });

  test("are built on earlier ones only", () => {
    assert.deepEqual(basesOf("FROM a AS a\nFROM a"), ["0: a", "1: stage 0"]);
    assert.deepEqual(basesOf("FROM x AS a\nFROM y AS a\nFROM a"), ["1: y", "2: stage 1"]);
  });

  test("are refused when they are missing, in a circle, or on nothing", () => {
    assert.throws(() => basesOf(several, "nope"), /target stage "nope" could not be found/);
    assert.throws(() => basesOf(several, "17"), /target stage "17" could not be found/);
    assert.throws(
      () => basesOf("FROM a AS x\nCOPY --from=y a b\nFROM b AS y\nCOPY --from=x a b"),
      /circular dependency/,
    );
    assert.throws(() => basesOf("FROM a AS x\nCOPY --from=x a b"), /circular dependency detected on stage: x/);
    assert.throws(() => basesOf("FROM $nothing"), /base name \(\$nothing\) should not be blank/);
  });

  test("are more when a base wants to have something done that needs them", () => {
    const text = "FROM a AS deep\nFROM deep AS tools\nFROM b AS unused\nFROM c AS last\n";
    const withOne = (trigger: string) =>
      withTriggers(plan(text), 3, parseDockerfile(`FROM x\n${trigger}`).stages[0]!.instructions);
    const needed = (trigger: string) => withOne(trigger).stages.map(({ stage }) => stage.name);
    assert.deepEqual(needed("RUN true"), ["last"]);
    assert.deepEqual(needed("COPY --from=tools a b"), ["deep", "tools", "last"]);
    assert.deepEqual(needed("RUN --mount=from=0,target=/t true"), ["deep", "last"]);
    assert.throws(() => withOne("COPY --from=last a b"), /circular dependency detected on stage: last/);
  });
});
