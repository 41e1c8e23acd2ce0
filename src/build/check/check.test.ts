// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles are what is tested
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseIgnore } from "../../format/ignore.ts";
import { parseDockerfile } from "../dockerfile/stages.ts";
import { planGraph } from "../graph.ts";
import { checkDockerfile } from "./check.ts";

const platform = { os: "linux", architecture: "amd64" };
const known = { names: new Set(["PATH", "FROM_BASE"]), hasShell: false, hasWorkdir: false };

const check = (text: string, args: Readonly<Record<string, string>> = {}) => {
  const file = parseDockerfile(text);
  const given = { args: new Map(Object.entries(args)), contexts: new Map() };
  const graph = planGraph(file, { ...given, target: "", platform, noCache: [] });
  const image = (name: string) => (name === "unknown" ? undefined : known);
  return checkDockerfile({ file, graph, args: given.args, ignored: parseIgnore(["*.md", "left"]), image });
};

const said = (text: string, args: Readonly<Record<string, string>> = {}): readonly string[] =>
  check(text, args).warnings.map(({ rule, detail, range }) => `${rule} ${range.start}: ${detail}`);

describe("a Dockerfile is warned of", () => {
  const cases: readonly (readonly [string, ...string[]])[] = [
    ["FROM b AS One\n", "StageNameCasing 1: Stage name 'One' should be lowercase"],
    ["FROM b as one\n", "FromAsCasing 1: 'as' and 'FROM' keywords' casing do not match"],
    ["from b as one\n"],
    ["FROM b\nRUN a && \\\n\n  b\n", "NoEmptyContinuation 4: Empty continuation line"],
    ["FROM b\nRUN a && \\\n# no\n  b\n"],
    [
      "FROM b\nrun a\nRun b\nRUN c\n",
      "ConsistentInstructionCasing 2: Command 'run' should match the case of the command majority (uppercase)",
      "ConsistentInstructionCasing 3: Command 'Run' should match the case of the command majority (uppercase)",
    ],
    ["FROM b AS x\nFROM b AS x\n", 'DuplicateStageName 2: Duplicate stage name "x", stage names should be unique'],
    ["FROM b AS scratch\n", 'ReservedStageName 1: Stage name should not use the same name as reserved stage "scratch"'],
    [
      "FROM b\nCMD a b\n",
      "JSONArgsRecommended 2: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
    ],
    ['FROM b\nSHELL ["/bin/bash", "-c"]\nCMD a b\n'],
    ['FROM b\nENTRYPOINT ["a"]\nCMD ["b"]\n'],
    ["FROM b\nMAINTAINER me\n", "MaintainerDeprecated 2: Maintainer instruction is deprecated in favor of using label"],
    [
      "ARG VERSION=1\nFROM b:$VERSON\n",
      "UndefinedArgInFrom 2: FROM argument 'VERSON' is not declared (did you mean VERSION?)",
    ],
    ["FROM --platform=$BUILDPLATFORM b\n"],
    [
      "FROM b\nWORKDIR usr\n",
      'WorkdirRelativePath 2: Relative workdir "usr" can have unexpected results if the base image changes',
    ],
    ["FROM b\nWORKDIR /usr\nWORKDIR src\n"],
    ["FROM b\nCOPY $foo .\n", "UndefinedVar 2: Usage of undefined variable '$foo'"],
    ["FROM b\nARG foo\nENV PATH=/x:$PATH\nCOPY $foo ${bar:-x} $FROM_BASE .\n"],
    ["FROM b\nENV PATH=$PAHT:/bin\n", "UndefinedVar 2: Usage of undefined variable '$PAHT' (did you mean $PATH?)"],
    ["FROM unknown\nCOPY $foo .\n"],
    ["FROM b AS a\nARG x\nFROM a\nCOPY $x .\n"],
    [
      'FROM b\nCMD ["a"]\nCMD ["b"]\n',
      "MultipleInstructionsDisallowed 2: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
    ],
    [
      "FROM b\nENV a b\n",
      'LegacyKeyValueFormat 2: "ENV key=value" should be used instead of legacy "ENV key value" format',
    ],
    [
      "FROM --platform=$TARGETPLATFORM b\n",
      "RedundantTargetPlatform 1: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    ],
    [
      "FROM --platform=linux/amd64 b\n",
      'FromPlatformFlagConstDisallowed 1: FROM --platform flag should not use constant value "linux/amd64"',
    ],
    ["FROM --platform=linux/amd64 b AS build_amd64\n"],
    [
      "FROM b\nARG MY_TOKEN\nENV DB_PASSWORD=x PUBLIC_KEY=y TOKENS=z\n",
      'SecretsUsedInArgOrEnv 2: Do not use ARG or ENV instructions for sensitive data (ARG "MY_TOKEN")',
      'SecretsUsedInArgOrEnv 3: Do not use ARG or ENV instructions for sensitive data (ENV "DB_PASSWORD")',
    ],
    [
      "ARG TAG\nFROM b:${TAG}\n",
      "InvalidDefaultArgInFrom 2: Default value for ARG b:${TAG} results in empty or invalid base image name",
    ],
    ["ARG TAG=1\nFROM b:${TAG}\n"],
    [
      "FROM b\nCOPY a.md left/x right .\nCOPY --from=c a.md .\n",
      'CopyIgnoredFile 2: Attempting to COPY file "a.md" that is excluded by .dockerignore',
      'CopyIgnoredFile 2: Attempting to COPY file "left/x" that is excluded by .dockerignore',
    ],
    [
      "FROM b\nEXPOSE 80/TcP 81/udp\n",
      "ExposeProtoCasing 2: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase",
    ],
    [
      "FROM b\nEXPOSE 127.0.0.1:80:80\n",
      "ExposeInvalidFormat 2: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
    ],
    [
      "# check=experimental=all\n# what it is\nFROM b AS one\n",
      "InvalidDefinitionDescription 3: Comment for FROM should follow the format: `# one <description>`",
    ],
    ["# check=experimental=all\n# one is what it is\nFROM b AS one\n"],
    ["# what it is\nFROM b AS one\n"],
    // What is not built is not looked into.
    ["FROM b AS x\nCMD a\nFROM b\n"],
  ];
  for (const [text, ...expected] of cases) {
    test(`${expected[0] ?? "nothing"}: ${JSON.stringify(text)}`, () => {
      // An image may have no tag that is empty, whatever builds it.
      assert.deepEqual(said(text, { TAG: "1", VERSON: "1" }), expected);
    });
  }

  test("no rule that is skipped, and fails by all others where it wants to", () => {
    const text = "FROM b AS One\nMAINTAINER me\n";
    assert.deepEqual(said(`# check=skip=all\n${text}`), []);
    assert.equal(said(`# check=skip=StageNameCasing, JSONArgsRecommended\n${text}`).length, 1);
    assert.equal(said(text, { BUILDKIT_DOCKERFILE_CHECK: "skip=MaintainerDeprecated" }).length, 1);
    assert.equal(check(`# check=error=true\n${text}`).isError, true);
    assert.equal(check(`# check=skip=all;error=true\n${text}`).warnings.length, 0);
    assert.throws(() => check(`# check=loud=true\n${text}`), /invalid check option "loud=true"/);
  });

  test("rules with the address where Docker explains them", () => {
    const urls = new Set(check("FROM b as One\nCMD a\n").warnings.map(({ url }) => url));
    assert.ok(urls.has("https://docs.docker.com/go/dockerfile/rule/json-args-recommended/"), [...urls].join());
    assert.ok(urls.has("https://docs.docker.com/go/dockerfile/rule/from-as-casing/"));
  });
});
