/** Plans and lists that the encoders wrote, for the fuzzers of their readers to begin with: fuzz-seeds.ts CORPUS. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { encodePlan } from "../src/kernel/encode.ts";
import { lists } from "../test/keeper/lists.ts";
import { answerInputs, nameScripts } from "../test/keeper/name-questions.ts";
import { plans } from "../test/keeper/plans.ts";

const corpus = process.argv[2]!;
const inputs = { plan: plans.map(encodePlan), list: lists, answer: answerInputs, names: nameScripts };
for (const [target, bytes] of Object.entries(inputs)) {
  const directory = join(corpus, target);
  mkdirSync(directory, { recursive: true });
  for (const [index, seed] of fc.sample(bytes, { numRuns: 100, seed: 7 }).entries())
    writeFileSync(join(directory, `seed-${index}`), seed);
}
