/** Plans that the encoder wrote, for the fuzzer of their reader to begin with: fuzz-seeds.ts DIRECTORY. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { encodePlan } from "../src/kernel/encode.ts";
import { plans } from "../test/keeper/plans.ts";

const directory = process.argv[2]!;
mkdirSync(directory, { recursive: true });
for (const [index, plan] of fc.sample(plans, { numRuns: 100, seed: 7 }).entries())
  writeFileSync(join(directory, `seed-${index}`), encodePlan(plan));
