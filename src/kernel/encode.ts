/** A plan as the bytes that the keeper reads; `docs/formats/plan.md` describes them. */
import { errorsFrom } from "../base/errors.ts";
import { kernelErrors } from "./errors.ts";
import { type ArgumentKind, laneCodes, noSlot, type Plan, type Step, type StepDefinition, stepTable } from "./steps.ts";

const kernelError = errorsFrom(kernelErrors);

export const planMagic = "PIERPLAN";
export const planVersion = 1;
const headerSize = 40;
const stepHeaderSize = 16;
const tolerateLimit = 4;
/** More than any container needs; the keeper refuses more too. */
export const slotLimit = 2048;
const noSlotNumber = 0xffff_ffff_ffff_ffffn;

const utf8 = new TextEncoder();
const padded = (size: number): number => (size + 7) & ~7;

/** Grows as it is written to; everything in it is aligned to 8 bytes. */
class Writer {
  #bytes = new Uint8Array(16384);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  reserve(size: number): number {
    const at = this.length;
    this.length += padded(size);
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(this.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  u16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }

  u32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  u64(value: number | bigint): void {
    // Before the view is looked at: room may be a new one.
    const at = this.reserve(8);
    // Most are small, and a BigInt costs more than all else about them.
    if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) this.u32(at, Number(value));
    else this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }

  /** Length (or count and length), then the bytes and a NUL. */
  block(count: number, bytes: Uint8Array): void {
    const at = this.reserve(8 + bytes.length + 1);
    this.u32(at, count);
    this.u32(at + 4, bytes.length);
    this.#bytes.set(bytes, at + 8);
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

const textBytes = (text: string): Uint8Array => {
  if (text.includes("\0")) throw kernelError("nulInText", { text: JSON.stringify(text) });
  return utf8.encode(text);
};

class Slots {
  readonly #numbers = new Map<string, number>();

  number(name: string): number {
    if (name === noSlot) throw kernelError("slotMissing", {});
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    if (number >= slotLimit) throw kernelError("tooManySlots", { limit: slotLimit });
    this.#numbers.set(name, number);
    return number;
  }
}

const writers: {
  [K in ArgumentKind]: (writer: Writer, value: never, slots: Slots) => void;
} = {
  number: (writer, value: number | bigint) => writer.u64(value),
  slot: (writer, value: string, slots) => writer.u64(slots.number(value)),
  slotOrNone: (writer, value: string, slots) => writer.u64(value === noSlot ? noSlotNumber : slots.number(value)),
  text: (writer, value: string) => {
    const bytes = textBytes(value);
    writer.block(bytes.length, bytes);
  },
  bytes: (writer, value: Uint8Array) => writer.block(value.length, value),
  texts: (writer, value: readonly string[]) => {
    const parts = value.map((text) => textBytes(`${text}`));
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length + 1, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length + 1;
    }
    writer.block(parts.length, joined);
  },
  numbers: (writer, value: readonly (number | bigint)[]) => {
    writer.u64(value.length);
    for (const number of value) writer.u64(number);
  },
};

/** Of each step its arguments, in their order, with what writes them. */
const stepWriters = new Map(
  Object.entries<StepDefinition>(stepTable).map(([name, { args }]) => [
    name,
    Object.entries(args).map(([argument, kind]) => [argument, writers[kind]] as const),
  ]),
);

const encodeStep = (writer: Writer, step: Step, slots: Slots): void => {
  const definition: StepDefinition = stepTable[step.step];
  const at = writer.reserve(stepHeaderSize);
  const tolerate = step.tolerate ?? [];
  if (tolerate.length > tolerateLimit) throw kernelError("toleratesTooMuch", { step: step.step });
  tolerate.forEach((errno, index) => {
    writer.u16(at + 8 + index * 2, errno);
  });
  const values = step as unknown as Readonly<Record<string, never>>;
  for (const [name, write] of stepWriters.get(step.step)!) write(writer, values[name]!, slots);
  writer.u16(at, definition.code);
  writer.u32(at + 4, writer.length - at);
};

/** The bytes of a plan: same plan, same bytes. */
export const encodePlan = (plan: Plan): Uint8Array => {
  const writer = new Writer();
  const slots = new Slots();
  const at = writer.reserve(headerSize);
  const lanes = [plan.outside, plan.inside, plan.after];
  for (const [code, lane] of lanes.entries()) {
    const name = (Object.keys(laneCodes) as (keyof typeof laneCodes)[])[code]!;
    for (const step of lane) {
      const { lanes: allowed }: StepDefinition = stepTable[step.step];
      if (!allowed.includes(name)) throw kernelError("wrongLane", { step: step.step, lane: name });
      encodeStep(writer, step, slots);
    }
    writer.u32(at + 16 + code * 4, lane.length);
  }
  const bytes = writer.finish();
  bytes.set(utf8.encode(planMagic), at);
  writer.u32(at + 8, planVersion);
  writer.u32(at + 12, bytes.length);
  return bytes;
};
