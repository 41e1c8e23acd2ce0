// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles are what is tested
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PierError } from "../base/errors.ts";
import { applyChanges } from "./changes.ts";
import { emptyConfig, type ImageConfig } from "./config.ts";

const after = (...changes: string[]): Partial<ImageConfig> =>
  Object.fromEntries(
    Object.entries(applyChanges(emptyConfig, changes))
      .filter(([name, value]) => value !== emptyConfig[name as keyof ImageConfig])
      .map(([name, value]) => [name, structuredClone(value)]),
  );

const health = { Interval: undefined, Timeout: undefined, StartPeriod: undefined, StartInterval: undefined };

describe("changes of a configuration", () => {
  const cases: readonly (readonly [changes: readonly string[], result: Partial<ImageConfig>])[] = [
    [['CMD ["sh","-c","a b"]'], { Cmd: ["sh", "-c", "a b"] }],
    [["cmd echo $HOME"], { Cmd: ["/bin/sh", "-c", "echo $HOME"] }],
    [["CMD []"], { Cmd: [] }],
    [["ENTRYPOINT /init --now"], { Entrypoint: ["/bin/sh", "-c", "/init --now"] }],
    [["ENV A=1 B='x y' C=\"$A ${A}2\" D=\\$A"], { Env: ["A=1", "B=x y", "C= 2", "D=$A"] }],
    [
      ["ENV A=1", "ENV B=${A}2 C=${X:-none} E=${A:+set} F=${X:+set}"],
      { Env: ["A=1", "B=12", "C=none", "E=set", "F="] },
    ],
    [["ENV A=a/b/c", "ENV B=${A#*/} C=${A/b/x}"], { Env: ["A=a/b/c", "B=b/c", "C=a/x/c"] }],
    [["ENV A=1", "ENV A=2"], { Env: ["A=2"] }],
    [["ENV A some words"], { Env: ["A=some words"] }],
    [["LABEL a.b=c \"with space\"='x y'"], { Labels: { "a.b": "c", "with space": "x y" } }],
    [["LABEL __proto__=1 constructor=2"], { Labels: JSON.parse('{"__proto__":"1","constructor":"2"}') }],
    [
      ["EXPOSE 80 81/udp 90-92/tcp"],
      { ExposedPorts: { "80/tcp": {}, "81/udp": {}, "90/tcp": {}, "91/tcp": {}, "92/tcp": {} } },
    ],
    [["USER app:app"], { User: "app:app" }],
    [["VOLUME /a /b", 'VOLUME ["/c d"]'], { Volumes: { "/a": {}, "/b": {}, "/c d": {} } }],
    [["WORKDIR /a", "WORKDIR b/../c"], { WorkingDir: "/a/c" }],
    [["STOPSIGNAL SIGQUIT"], { StopSignal: "SIGQUIT" }],
    [["ONBUILD RUN make"], { OnBuild: ["RUN make"] }],
    [["HEALTHCHECK NONE"], { Healthcheck: { ...health, Retries: undefined, Test: ["NONE"] } }],
    [
      ["HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD curl -f http://localhost/"],
      {
        Healthcheck: {
          ...health,
          Interval: 90_000_000_000,
          Timeout: 500_000_000,
          Retries: 3,
          Test: ["CMD-SHELL", "curl -f http://localhost/"],
        },
      },
    ],
    [['HEALTHCHECK CMD ["/check"]'], { Healthcheck: { ...health, Retries: undefined, Test: ["CMD", "/check"] } }],
    [["# nothing", "", "USER a\nWORKDIR /b"], { User: "a", WorkingDir: "/b" }],
  ];
  for (const [changes, result] of cases) {
    test(changes.join("; "), () => assert.deepEqual(after(...changes), result));
  }

  const refused: readonly (readonly [change: string, sentence: RegExp])[] = [
    ["RUN rm -rf /", /^RUN is not a valid change command$/],
    ["FROM scratch", /not a valid change command/],
    ["__proto__ x", /not a valid change command/],
    ["USER", /^USER requires at least one argument$/],
    ["USER a b", /^USER requires exactly one argument$/],
    ["ENV A='x", /looking for matching single-quote/],
    ["ENV A", /must have two arguments/],
    ["ENV A=1 B", /can't find = in "B"/],
    ["ENV =1", /names can not be blank/],
    ["ENV A=${B!x}", /unsupported modifier/],
    ["CMD [1]", /takes a list of strings alone/],
    ["EXPOSE 70000", /invalid containerPort: 70000/],
    ["EXPOSE 80/icmp", /invalid containerPort/],
    ['VOLUME [""]', /can not be an empty string/],
    ["ONBUILD ONBUILD RUN x", /chaining/],
    ["ONBUILD FROM x", /isn't allowed/],
    ["HEALTHCHECK CMD", /missing a command/],
    ["HEALTHCHECK --interval=soon CMD x", /invalid duration: soon/],
    ["HEALTHCHECK --interval=1us CMD x", /cannot be less than 1ms/],
    ["HEALTHCHECK --wait=1s CMD x", /unknown flag/],
    ["HEALTHCHECK TCP x", /unknown type "TCP"/],
    ["STOPSIGNAL SIGNONE", /SIGNONE/],
  ];
  for (const [change, sentence] of refused) {
    test(`${change} is refused`, () => {
      assert.throws(
        () => after(change),
        (error) => error instanceof PierError && error.status === 400 && sentence.test(error.message),
      );
    });
  }
});
