/** The progress of a build at a terminal: stages side by side, a line per step, and the last that running steps say. */
import { writeSync } from "node:fs";
import { harmless } from "../streams/output.ts";
import { type BuildStatus, type BuildStep, BuildSteps, seconds } from "./steps.ts";

const redrawMs = 100;
const outputLines = 4;
const least = { columns: 40, rows: 10 };

export class BuildScreen implements Disposable {
  readonly #steps: BuildSteps;
  readonly #name: string;
  readonly #began = Date.now();
  readonly #timer: NodeJS.Timeout;
  readonly #terminal: { getWindowSize(): [number, number] };
  #drawn = 0;
  #isOver = false;

  /** Draws on standard error, which is a terminal. */
  constructor(name: string, steps: BuildSteps = new BuildSteps()) {
    this.#name = name;
    this.#steps = steps;
    this.#terminal = new (process.getBuiltinModule("node:tty").WriteStream)(2);
    this.#timer = setInterval(() => this.#draw(), redrawMs);
  }

  hear(status: BuildStatus): void {
    this.#steps.hear(status);
  }

  /** Holds afterwards: the screen says how it ended, and what is written from now on stands below it. */
  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#draw();
  }

  #draw(): void {
    const [columns, rows] = this.#terminal.getWindowSize();
    const size = { columns: Math.max(columns, least.columns) - 1, rows: Math.max(rows, least.rows) - 1 };
    const lines = planScreen(this.#name, this.#steps.all, { now: Date.now(), began: this.#began, ...size });
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r`;
    const left = Math.max(this.#drawn - lines.length, 0);
    const text = lines.map((line) => `${line}\x1b[K\n`).join("");
    writeSync(2, up + text + "\x1b[K\n".repeat(left) + (left > 0 ? `\x1b[${left}A` : ""));
    this.#drawn = lines.length;
  }
}

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since 1970: now, and when the build began. */
  readonly now: number;
  readonly began: number;
}

/** The lines of the screen. What does not fit is told in fewer: first what is over, then what running steps say. */
export const planScreen = (
  name: string,
  steps: readonly BuildStep[],
  { columns, rows, now, began }: ScreenSize,
): readonly string[] => {
  const over = steps.filter(({ ended }) => ended !== undefined).length;
  const head = cut(`[+] ${over}/${steps.length} building ${name}`, seconds(began, now), columns);
  for (const { folds, said } of [
    { folds: false, said: outputLines },
    { folds: true, said: outputLines },
    { folds: true, said: 1 },
    { folds: true, said: 0 },
  ]) {
    const lines = stagesOf(steps).flatMap(([stage, own]) => stageLines(stage, own, { folds, said, columns, now }));
    if (lines.length < rows) return [head, ...lines];
    if (said === 0) return [head, ...lines.slice(-(rows - 1))];
  }
  return [head];
};

const stagesOf = (steps: readonly BuildStep[]): readonly (readonly [string, readonly BuildStep[]])[] => {
  const stages = new Map<string, BuildStep[]>();
  for (const step of steps) stages.set(step.stage, [...(stages.get(step.stage) ?? []), step]);
  return [...stages];
};

interface Style {
  /** Steps that are over are one line together. */
  readonly folds: boolean;
  readonly said: number;
  readonly columns: number;
  readonly now: number;
}

const stageLines = (stage: string, steps: readonly BuildStep[], style: Style): readonly string[] => {
  const { folds, columns, now } = style;
  const isOver = ({ ended, error }: BuildStep): boolean => ended !== undefined && error === "";
  const done = folds ? steps.filter(isOver) : [];
  const own = folds ? steps.filter((step) => !isOver(step)) : steps;
  const first = done[0];
  const folded =
    first === undefined
      ? []
      : [
          cut(
            ` ✓ ${stage === "" ? "" : `[${stage}] `}${done.length} steps`,
            seconds(first.started, done.at(-1)!.ended!),
            columns,
          ),
        ];
  return [...folded, ...own.flatMap((step) => [stepLine(step, columns, now), ...saidLines(step, style)])];
};

const stepLine = ({ name, started, ended, isCached, error }: BuildStep, columns: number, now: number): string => {
  const mark = ended === undefined ? "▸" : error === "" ? "✓" : "✗";
  const time = isCached ? "cached" : seconds(started, ended ?? now);
  return cut(` ${mark} ${name.replaceAll("\n", " ")}`, time, columns);
};

const saidLines = ({ output, ended }: BuildStep, { said, columns }: Style): readonly string[] => {
  if (ended !== undefined || said === 0 || output === "") return [];
  return output
    .trimEnd()
    .split("\n")
    .slice(-said)
    .map((line) => harmless(`   │ ${line.split("\r").at(-1)}`).slice(0, columns));
};

/** A text, and what stands at the right edge of the screen. */
const cut = (text: string, right: string, columns: number): string => {
  const room = columns - right.length - 1;
  const own = harmless(text);
  const fitting = own.length > room ? `${own.slice(0, Math.max(room - 1, 0))}…` : own.padEnd(room);
  return `${fitting} ${right}`;
};
