/** Why the steps of a build were made anew: by comparing them with the same steps of the builds before. Pure. */
import type { BuildRecord, StepRecord, Wait } from "./record.ts";

export interface ExplainedStep {
  readonly name: string;
  /** Milliseconds after the build began. */
  readonly began: number;
  readonly ended: number;
  readonly isCached: boolean;
  /** A sentence; "" for a step that no cache has. */
  readonly why: string;
  readonly waits: readonly Wait[];
}

export interface Explanation extends Omit<BuildRecord, "steps" | "subject" | "dockerfile"> {
  readonly steps: readonly ExplainedStep[];
}

/** What the files below a step are called among its parts. */
export const belowPart = "below";
export const basePart = "base";
export const filePart = "file ";

const mostNamed = 5;

/** The last build, or undefined: there was none. `records`: the last one first. */
export const explainLast = (records: readonly BuildRecord[]): Explanation | undefined => {
  const [last, ...others] = records;
  if (last === undefined) return undefined;
  const before = others.filter(({ subject, dockerfile }) => subject === last.subject || dockerfile === last.dockerfile);
  const { subject: _, dockerfile: _dockerfile, ...record } = last;
  const reasons = new Map<StepRecord, string>();
  const steps = last.steps.map((step, index): ExplainedStep => {
    const why = reasonOf(step, last.steps.slice(0, index), before, reasons);
    reasons.set(step, why);
    const { name, began, ended, isCached, waits } = step;
    return { name, began, ended, isCached, why, waits };
  });
  return { ...record, steps };
};

const reasonOf = (
  step: StepRecord,
  above: readonly StepRecord[],
  before: readonly BuildRecord[],
  reasons: ReadonlyMap<StepRecord, string>,
): string => {
  const isBase = basePart in step.parts;
  if (step.isCached) return "from the cache";
  if (step.isFresh && !isBase) return "the cache was not to be asked (--no-cache)";
  const earlier = before.map(({ steps }) => sameStep(step, above, steps)).find((found) => found !== undefined);
  if (earlier === undefined) {
    if (isBase) return "";
    const place = before.map(({ steps }) => samePlace(step, above, steps)).find((found) => found !== undefined);
    return place === undefined ? "it was not built before" : `the instruction is new: it was ${place.text}`;
  }
  const own = differences(earlier.parts, step.parts);
  if (own.length > 0) return own.join(", ");
  if (isBase) return "";
  if (step.parts[belowPart] === earlier.parts[belowPart]) return "the cache has its layer no more";
  const cause = above.findLast((other) => other.stage === step.stage && !other.isCached && reasons.get(other) !== "");
  return cause === undefined ? "what it stands on is another" : `what it stands on is another: ${cause.name}`;
};

const inStage = (steps: readonly StepRecord[], { stage }: StepRecord): readonly StepRecord[] =>
  steps.filter((other) => other.stage === stage);

/** The step of the same text in the same stage: where there are several, the one that is as many behind the first. */
const sameStep = (
  step: StepRecord,
  above: readonly StepRecord[],
  steps: readonly StepRecord[],
): StepRecord | undefined => {
  const isSame = ({ text }: StepRecord): boolean => text === step.text;
  return inStage(steps, step).filter(isSame)[inStage(above, step).filter(isSame).length];
};

const samePlace = (step: StepRecord, above: readonly StepRecord[], steps: readonly StepRecord[]) =>
  inStage(steps, step)[inStage(above, step).length];

/** What of a step's own has changed: what lies below it is told by the step that made it. */
const differences = (
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): readonly string[] => {
  const names = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((name) => name !== belowPart);
  const told = names.flatMap((name) => {
    const [old, current] = [before[name], now[name]];
    if (old === current) return [];
    if (name === basePart) return [`the base is ${current}, and was ${old}`];
    const what = name.startsWith(filePart) ? name.slice(filePart.length) : name;
    if (old === undefined) return [`${what} is new`];
    return [current === undefined ? `${what} is gone` : `${what} changed`];
  });
  const more = told.length - mostNamed;
  return more > 0 ? [...told.slice(0, mostNamed), `and ${more} more`] : told;
};
