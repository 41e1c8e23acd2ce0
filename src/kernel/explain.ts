/** A plan for people and for programs: what `pier run --explain` prints. */
import { type ArgumentKind, laneCodes, noSlot, type Plan, type Step, type StepDefinition, stepTable } from "./steps.ts";

const widest = 120;
const hexFrom = 256;

const laneTitles: Record<keyof typeof laneCodes, string> = {
  outside: "outside: in the keeper, on the host",
  inside: "inside: in the first process of the container",
  after: "after: when the container has ended, with or without a daemon",
};

const isPrintable = (bytes: Uint8Array): boolean => bytes.every((byte) => byte >= 0x20 && byte < 0x7f);

/** An id's first twelve digits tell it from others, and leave room for what stands behind it. */
const cut = (text: string): string => {
  const short = text.replace(/[0-9a-f]{64}/g, (id) => `${id.slice(0, 12)}…`);
  return short.length <= widest ? short : `${short.slice(0, widest - 1)}…`;
};

const showBytes = (bytes: Uint8Array): string => {
  const text = new TextDecoder("latin1").decode(bytes);
  return bytes.length <= widest && isPrintable(bytes) ? JSON.stringify(text) : `<${bytes.length} bytes>`;
};

/** As chmod(1) takes them. */
const showMode = (value: number): string => value.toString(8).padStart(4, "0");

const showNumber = (value: number | bigint): string =>
  value >= hexFrom && (BigInt(value) & 0xffn) === 0n ? `0x${value.toString(16)}` : value.toString();

const show: Record<ArgumentKind, (value: never) => string> = {
  number: showNumber,
  text: (value: string) => cut(/^[\w./:=,@%+-]+$/.test(value) ? value : JSON.stringify(value)),
  bytes: showBytes,
  texts: (value: readonly string[]) => cut(JSON.stringify(value)),
  numbers: (value: readonly (number | bigint)[]) => `[${value.join(" ")}]`,
  slot: (value: string) => `<${value}>`,
  slotOrNone: (value: string) => (value === noSlot ? "-" : `<${value}>`),
};

const explainStep = (step: Step): string => {
  const { args, does }: StepDefinition = stepTable[step.step];
  const values = step as unknown as Readonly<Record<string, never>>;
  const shown = Object.entries(args).map(
    ([name, kind]) => `${name}=${name === "mode" ? showMode(values[name]!) : show[kind](values[name]!)}`,
  );
  return `${[step.step, ...shown].join(" ")}  # ${step.why ?? does}`;
};

/** One step a line, each with its reason. */
export const explainPlan = (plan: Plan): string =>
  (Object.keys(laneCodes) as (keyof typeof laneCodes)[])
    .map((lane) => {
      const lines = plan[lane].map((step, index) => `  ${String(index + 1).padStart(3)}  ${explainStep(step)}`);
      return `${[laneTitles[lane], ...lines].join("\n")}\n`;
    })
    .join("\n");

const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === "bigint") return Number(value) <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString();
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : value;
};

/** The same for programs: lanes of steps as they are, bytes in base64. */
export const explainPlanJson = (plan: Plan): string => `${JSON.stringify(plan, plain, 2)}\n`;
