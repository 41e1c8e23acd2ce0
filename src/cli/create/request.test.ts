/** What docker 28.2.2 sent, or said, for the same words: recorded from the real command line before a daemon that only listens. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { encodeQuery } from "../../api/request.ts";
import { parseFlags } from "../flags.ts";
import { containerFlags } from "./flags.ts";
import { planContainer, planRequest } from "./request.ts";

type Change = readonly ["=", readonly string[], unknown] | readonly ["-", readonly string[]];
interface Recorded {
  readonly base: object;
  readonly requests: readonly {
    readonly args: readonly string[];
    readonly query: string;
    readonly changes: readonly Change[];
  }[];
  readonly refusals: readonly { readonly args: readonly string[]; readonly kind: string; readonly message: string }[];
}

const files: Readonly<Record<string, string | Buffer>> = {
  "env.list": "A=1\n# comment\n\n  B=two words  \nFROM_ENV\nNOT_SET\nC=\nD=a=b\n",
  "labels.list": "l1=v1\nl2\n#c\nl3=x=y\n",
  "bad.list": "bad key=1\n",
  "bom.list": "\uFEFFBOM=1\n",
  "latin.list": Buffer.from("X=\xff\xfe\n", "latin1"),
  "nokey.list": "=nokey\n",
  "profile.json": '{\n  "defaultAction": "SCMP_ACT_ALLOW",\n  "syscalls": []\n}\n',
};

describe("the flags of create", () => {
  const home = process.cwd();
  const parent = mkdtempSync(join(tmpdir(), "pier-create-"));
  const here = join(parent, "cwd");
  const recorded = JSON.parse(
    readFileSync(new URL("docker-28.2.2.json", import.meta.url), "utf8")
      .replaceAll("{cwd}", here)
      .replaceAll("{parent}", parent),
  ) as Recorded;

  before(() => {
    mkdirSync(join(here, "dir.list"), { recursive: true });
    for (const [name, data] of Object.entries(files)) writeFileSync(join(here, name), data);
    process.chdir(here);
    process.env.FROM_ENV = "env value";
    process.env.EMPTY_ENV = "";
  });
  after(() => {
    process.chdir(home);
    delete process.env.FROM_ENV;
    delete process.env.EMPTY_ENV;
    rmSync(parent, { recursive: true });
  });

  const plan = (args: readonly string[]) => {
    const given = parseFlags(containerFlags, args, { stopAtFirst: true });
    const { name, platform, body } = planRequest(given, planContainer(given));
    return { query: encodeQuery({ name, platform }), body: JSON.parse(JSON.stringify(body)) };
  };

  for (const { args, query, changes } of recorded.requests) {
    test(`are sent as docker sends them: ${args.join(" ")}`, () => {
      const wanted = structuredClone(recorded.base) as Record<string, unknown>;
      for (const [, path, value] of changes) {
        const last = path.at(-1)!;
        let at = wanted;
        for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
        if (value === undefined) delete at[last];
        else at[last] = value;
      }
      assert.deepEqual(plan(args), { query: query === "" ? "" : `?${query}`, body: wanted });
    });
  }

  for (const { args, message } of recorded.refusals) {
    test(`are refused in docker's words: ${args.join(" ")}`, () => {
      assert.throws(
        () => plan(args),
        (error: Error) => {
          assert.equal(error.message, message);
          return true;
        },
      );
    });
  }
});
