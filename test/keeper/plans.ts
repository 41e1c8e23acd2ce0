/** Any plan that the encoder can write. */
import fc from "fast-check";
import { type ArgumentKind, type Lane, type Plan, type Step, stepTable } from "../../src/kernel/steps.ts";

const text = fc.string({ unit: "grapheme", maxLength: 20 }).map((value) => value.replaceAll("\0", ""));
const number = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const slot = fc.constantFrom("a", "b", "c");
const kinds: Readonly<Record<ArgumentKind, fc.Arbitrary<unknown>>> = {
  number,
  text,
  bytes: fc.uint8Array({ maxLength: 40 }),
  texts: fc.array(text, { maxLength: 5 }),
  numbers: fc.array(number, { maxLength: 5 }),
  slot,
  slotOrNone: fc.constantFrom("a", ""),
};

const stepsOf = (lane: Lane): fc.Arbitrary<Step> =>
  fc.oneof(
    ...Object.entries(stepTable)
      .filter(([, { lanes }]) => (lanes as readonly Lane[]).includes(lane))
      .map(([step, { args }]) =>
        fc.record({
          step: fc.constant(step),
          tolerate: fc.array(fc.integer({ min: 1, max: 133 }), { maxLength: 4 }),
          ...Object.fromEntries(Object.entries(args).map(([name, kind]) => [name, kinds[kind]])),
        }),
      ),
  ) as fc.Arbitrary<unknown> as fc.Arbitrary<Step>;

export const plans: fc.Arbitrary<Plan> = fc.record({
  outside: fc.array(stepsOf("outside"), { maxLength: 6 }),
  inside: fc.array(stepsOf("inside"), { maxLength: 6 }),
  after: fc.array(stepsOf("after"), { maxLength: 6 }),
});
