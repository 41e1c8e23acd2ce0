/** The keeper's decoders and parts against inputs that nobody thought of, for a moment; `npm run fuzz` goes on for hours. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { encodePlan } from "../../src/kernel/encode.ts";
import { measured, noCompiler, root } from "../keeper/compile.ts";
import { lists } from "../keeper/lists.ts";
import { answerInputs, nameScripts } from "../keeper/name-questions.ts";
import { plans } from "../keeper/plans.ts";

const build = join(root, measured === undefined ? "build/fuzz" : "build/coverage/fuzz");

/** Runs that take about two seconds. */
const targets: Readonly<Record<string, number>> = {
  plan: 40_000,
  list: 40_000,
  netlink: 40_000,
  log: 2_000,
  files: 250,
  relay: 800,
  control: 1_500,
  answer: 100_000,
  names: 2_500,
  put: 2_000,
};

const seeds: Readonly<Record<string, fc.Arbitrary<Uint8Array>>> = {
  plan: plans.map(encodePlan),
  list: lists,
  answer: answerInputs,
  names: nameScripts,
};

const seedsOf = (target: string): readonly Uint8Array[] => {
  const arbitrary = seeds[target];
  return arbitrary === undefined ? [] : fc.sample(arbitrary, { numRuns: 50, seed: 7 });
};

describe("what comes from outside the keeper", { skip: noCompiler }, () => {
  let corpus: string;
  before(() => {
    const made = measured === undefined ? "fuzz" : "coverage";
    const { status, stderr } = spawnSync("sh", ["scripts/setup", made], { cwd: root, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    corpus = mkdtempSync(join(tmpdir(), "pier-fuzz-"));
  });
  after(() => rmSync(corpus, { recursive: true, force: true }));

  const fuzz = (target: string, runs: number, first: readonly Uint8Array[] = []) => {
    const directory = mkdtempSync(join(corpus, `${target}-`));
    for (const [index, seed] of first.entries()) writeFileSync(join(directory, `seed-${index}`), seed);
    const ran = spawnSync(join(build, target), [directory, `${runs}`, "1"], { encoding: "utf8" });
    return { ...ran, last: readFileSync(join(directory, "last")) };
  };

  for (const [target, runs] of Object.entries(targets)) {
    test(`breaks nothing: ${target}`, () => {
      const { status, stderr, stdout, last } = fuzz(target, runs, seedsOf(target));
      const size = Number(last.readBigUInt64LE(0));
      assert.equal(status, 0, `${stderr}\nafter ${last.subarray(8, 8 + size).toString("hex")}`);
      assert.match(stdout, /^\d+ runs, \d{2,} inputs that led somewhere new/);
    });
  }

  test("is found where there is something to find", () => {
    const { signal, last } = fuzz("planted", 1_000_000);
    assert.equal(signal, "SIGABRT");
    assert.equal(last.toString("latin1", 8, 12), "PIER");
  });
});
