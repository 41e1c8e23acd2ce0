// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles are what is tested
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseDockerfile } from "./dockerfile/stages.ts";
import { planGraph } from "./graph.ts";
import { outlineOf } from "./outline.ts";
import { targetsOf } from "./targets.ts";

const outline = (text: string, { target = "", args = {} }: { target?: string; args?: Record<string, string> } = {}) => {
  const file = parseDockerfile(text);
  const given = { args: new Map(Object.entries(args)), contexts: new Map() };
  const graph = planGraph(file, { ...given, target, platform: { os: "linux", architecture: "amd64" }, noCache: [] });
  return outlineOf({ file, graph, args: given.args, image: () => new Map([["HOME", "/root"]]) });
};

const args = (...given: Parameters<typeof outline>): readonly string[] =>
  outline(...given).args.map(
    ({ name, value, description, range }) => `${range.start} ${name}=${value}${description && ` (${description})`}`,
  );

describe("an outline has", () => {
  const cases: readonly (readonly [text: string, ...expected: string[]])[] = [
    ["FROM b\nARG A\nARG B=1 C=2\n", "2 A=", "3 B=1", "3 C=2"],
    ["FROM b\nENV E=x\nARG A=$E$HOME B=${A:-no}\n", "3 A=x/root", "3 B=x/root"],
    // What a value before the first stage is made of is asked for as well, and what nobody uses is not.
    ["ARG V=1\nARG TAG=$V-slim\nARG unused=2\nFROM b:$TAG\n", "1 V=1", "2 TAG=1-slim"],
    ["ARG X=$X\nFROM b:a$X\n", "1 X="],
    ["ARG P=linux/amd64\nFROM --platform=$P b\n", "1 P=linux/amd64"],
    // What a stage takes from before the first one stands there; what it says itself does not.
    ["ARG A=1\nARG B=2\nFROM b\nARG A\nARG B=3\n", "1 A=1", "5 B=3"],
    ["FROM b\nARG TARGETARCH\n"],
    ["# A what it is\n# B the other\nFROM b\n# A the first\n# A no\n# B\nARG A B\n", "7 A= (the first)", "7 B="],
    ["FROM b\n# A is far away\n\nARG A\n", "4 A="],
    // Only of stages that are built.
    ["FROM b AS no\nARG N\nFROM b AS yes\nARG Y=1\nFROM b\nCOPY --from=yes /x /\n", "4 Y=1"],
    ["FROM b AS one\nARG A=1\nFROM one\nARG A\nARG B=$A\n", "4 A=", "5 B=1"],
  ];
  for (const [text, ...expected] of cases) {
    test(`${expected.join(", ") || "nothing"}: ${JSON.stringify(text)}`, () => assert.deepEqual(args(text), expected));
  }

  test("what is given already, and is its target's", () => {
    assert.deepEqual(args("ARG A=1\nFROM b\nARG A\nARG B=$A\n", { args: { A: "9" } }), ["3 A=9", "4 B=9"]);
    const text = "# one the first of them\nFROM b AS one\nARG A\nFROM b AS two\nARG B\n";
    assert.deepEqual(args(text, { target: "one" }), ["3 A="]);
    const { name, description } = outline(text, { target: "one" });
    assert.deepEqual([name, description], ["one", "the first of them"]);
    assert.deepEqual(outline("FROM b\n").name, "");
  });

  test("secrets and agents, each once, as their steps have them", () => {
    const secret = "RUN --mount=type=secret,id=a,required=true --mount=type=secret,target=/x/b true\n";
    const others = "ARG N=1\nRUN --mount=type=secret,id=s$N --mount=type=secret,id=a true\nRUN --mount=type=ssh true\n";
    const { secrets, agents } = outline(`FROM b\n${secret}${others}RUN --mount=type=ssh,id=k,required=true true\n`);
    const told = (mounts: typeof secrets) =>
      mounts.map(({ name, required, range }) => `${range.start} ${name}${required ? " required" : ""}`);
    assert.deepEqual(told(secrets), ["2 a required", "2 b", "4 s1"]);
    assert.deepEqual(told(agents), ["5 default", "6 k required"]);
  });
});

test("targets are all stages, as they are written", () => {
  const file = parseDockerfile("ARG B=b\n# one it is\nFROM --platform=$BUILDPLATFORM $B AS One\nRUN x\nFROM one\n");
  assert.deepEqual(targetsOf(file), [
    {
      ...{ name: "one", description: "it is", isDefault: false, base: "$B", platform: "$BUILDPLATFORM" },
      range: { start: 3, end: 3 },
    },
    { name: "", description: "", isDefault: true, base: "one", platform: "", range: { start: 5, end: 5 } },
  ]);
});
