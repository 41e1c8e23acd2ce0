import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Instruction } from "./instructions.ts";
import { parseMount } from "./mounts.ts";
import { parseDockerfile } from "./stages.ts";

const one = (line: string): Instruction => parseDockerfile(`FROM a\n${line}`).stages[0]!.instructions[0]!;

/** Instructions that say something wrong, and what is said about them. */
const refused: readonly (readonly [line: string, sentence: RegExp])[] = [
  ["FOO bar", /line 2: unknown instruction: FOO/],
  ["ENV", /ENV requires at least one argument/],
  ["ENV a", /ENV must have two arguments/],
  ["ENV a=1 b", /can't find = in "b"/],
  ["ENV =1", /ENV names can not be blank/],
  ["LABEL a", /LABEL must have two arguments/],
  ["COPY a", /COPY requires at least two arguments, but only 1 was provided/],
  ["ADD", /ADD requires at least two arguments, but only 0 were provided/],
  ["COPY --nope=1 a b", /unknown flag: --nope/],
  ["COPY --from a b", /missing a value on flag: from/],
  ["COPY --from=a --from=b a b", /duplicate flag specified: from/],
  ["COPY --link=maybe a b", /expecting boolean value for flag link, not: maybe/],
  ["ADD --from=x a b", /unknown flag: --from/],
  ["RUN", /RUN requires at least one argument/],
  ['RUN ["a", 1]', /arrays must be comprised of strings only/],
  ["RUN --network=weird true", /unsupported network mode "weird"/],
  ["RUN --security=Insecure true", /unsupported security mode "Insecure"/],
  ["RUN --mount=type=nope,target=/x true", /unsupported mount type "nope"/],
  ["RUN --mount=target=/x,nope=1 true", /unexpected key 'nope'/],
  ["RUN --mount=type=tmpfs,target=/x,ro true", /unexpected key 'readonly' for mount type 'tmpfs'/],
  ["RUN --mount=type=cache true", /target is required/],
  ["RUN --mount=type=cache,target=/x,sharing=some true", /unsupported sharing value "some"/],
  ["RUN --mount=type=cache,target=/x,uid=4294967296 true", /invalid value 4294967296 for uid/],
  ["SHELL sh -c", /SHELL requires the arguments to be in JSON form/],
  ["SHELL []", /SHELL requires at least one argument/],
  ["ONBUILD FROM x", /FROM isn't allowed as an ONBUILD trigger/],
  ["ONBUILD ONBUILD RUN x", /Chaining ONBUILD/],
  ["HEALTHCHECK FOO", /unknown type "FOO"/],
  ["HEALTHCHECK --nope=1 CMD x", /unknown flag: --nope/],
  ["WORKDIR", /WORKDIR requires exactly one argument/],
  ["USER --x", /unknown flag: --x/],
  ["FROM a b", /FROM requires either one or three arguments/],
  ["FROM a IS b", /the second argument of FROM must be AS/],
  ["FROM a AS 1x", /invalid name for build stage: "1x"/],
];

describe("an instruction", () => {
  for (const [line, sentence] of refused) {
    test(`${line} is refused`, () => assert.throws(() => one(line), sentence));
  }

  test("has a command line for a shell, or a program with its arguments", () => {
    const commands = ["RUN a  b", 'RUN ["a", "b\\n"]', "RUN [a b", "CMD", 'ENTRYPOINT ["x"]'].map((line) => {
      const instruction = one(line);
      return "command" in instruction ? instruction.command : undefined;
    });
    assert.deepEqual(commands, [
      { isShell: true, args: ["a  b"] },
      { isShell: false, args: ["a", "b\n"] },
      { isShell: true, args: ["[a b"] },
      { isShell: true, args: [] },
      { isShell: false, args: ["x"] },
    ]);
  });

  test("has pairs in the new form and in the old one", () => {
    const pairs = (line: string) =>
      (one(line) as Instruction & { kind: "ENV" }).pairs.map(({ name, value }) => [name, value]);
    assert.deepEqual(pairs('ENV a=1 b="x y" c=x\\ y'), [
      ["a", "1"],
      ["b", '"x y"'],
      ["c", "x\\ y"],
    ]);
    assert.deepEqual(pairs("ENV name a value = with spaces"), [["name", "a value = with spaces"]]);
    assert.deepEqual(pairs("LABEL com.example.x="), [["com.example.x", ""]]);
  });

  test("copies sources to a target, in either form", () => {
    const copy = one('COPY --from=x --exclude=*.md --exclude=b ["a b", "c/"]') as Instruction & { kind: "COPY" };
    assert.deepEqual(
      [copy.sources, copy.target, copy.flags.from, copy.flags.exclude],
      [["a b"], "c/", "x", ["*.md", "b"]],
    );
    const inline = one("COPY <<one two /x/\ncontent\none") as Instruction & { kind: "COPY" };
    assert.deepEqual([inline.sources, inline.inline.map(({ content }) => content)], [["two"], ["content\n"]]);
  });

  test("has mounts with all that they may say", () => {
    const run = one(
      "RUN --mount=type=cache,id=x,dst=/c,sharing=locked,mode=0700,uid=5 --mount=src=a,target=b,rw --mount=type=cache,target=/c,uid=$UID true",
    );
    assert.equal(run.kind, "RUN");
    if (run.kind !== "RUN") return;
    const values = new Map([["UID", "7"]]);
    const expand = (value: string) => value.replace(/\$(\w+)/g, (_, name) => values.get(name) ?? "");
    const [cache, bind, named] = run.mounts.map((mount) => parseMount(mount, 1, expand));
    assert.deepEqual(
      [cache!.type, cache!.id, cache!.target, cache!.sharing, cache!.mode, cache!.uid, cache!.readonly],
      ["cache", "x", "/c", "locked", 0o700, 5, false],
    );
    assert.deepEqual([bind!.type, bind!.source, bind!.target, bind!.readonly], ["bind", "a", "b", false]);
    assert.equal(named!.uid, 7);
    assert.throws(() => parseMount(run.mounts[2]!, 3, () => ""), /line 3: .*unsupported mount type ""/);
    assert.throws(() => one("RUN --mount=type=cache,target=/c,uid=nobody true"), /invalid value nobody for uid/);
    assert.throws(() => one("RUN --mount=from=$STAGE,target=/c true"), /'from' doesn't support variable expansion/);
  });
});

describe("a Dockerfile", () => {
  test("is stages, with arguments before the first", () => {
    const { args, stages } = parseDockerfile(
      "ARG v=1\nFROM a:$v AS Base\nRUN x\nFROM --platform=linux/arm64 base\nCOPY --from=0 a b\n",
    );
    assert.deepEqual(args[0]!.args, [{ name: "v", value: "1" }]);
    assert.deepEqual(
      stages.map(({ name, base, platform, instructions }) => [name, base, platform, instructions.length]),
      [
        ["base", "a:$v", undefined, 1],
        [undefined, "base", "linux/arm64", 1],
      ],
    );
  });

  test("is refused when it is empty, or begins with something else", () => {
    assert.throws(() => parseDockerfile("# nothing\n"), /the Dockerfile \(Dockerfile\) cannot be empty/);
    assert.throws(() => parseDockerfile("ARG a\n"), /file with no instructions/);
    assert.throws(() => parseDockerfile("RUN a\n"), /line 1: no build stage in current context/);
    assert.throws(() => parseDockerfile("NOPE a\n"), /line 1: unknown instruction: NOPE/);
  });
});
