/** What a build tells while it goes on: steps begin, say something, and end. */

import type { Warning } from "./check/check.ts";
import { shortDigest, type Wait } from "./record.ts";
import { type OutputName, SaidOutput } from "./said.ts";
import { basePart, belowPart } from "./why.ts";

export interface ReportedStep {
  /** Counted from 1 in the order in which they began. */
  readonly id: number;
  /** `[build 2/5] RUN make`. */
  readonly name: string;
  /** As written, without the place. */
  readonly text: string;
  readonly stage: string;
  /** It changes no file. */
  readonly isMetadata: boolean;
  /** It is no step of the Dockerfile's: what the build does to begin at all. */
  readonly isInternal?: boolean;
}

export type BuildEvent =
  | { readonly kind: "planned"; readonly steps: number }
  | { readonly kind: "began"; readonly step: ReportedStep; readonly time: number }
  | {
      readonly kind: "output";
      readonly step: ReportedStep;
      readonly stream: OutputName;
      readonly data: Uint8Array;
    }
  | {
      readonly kind: "ended";
      readonly step: ReportedStep;
      readonly time: number;
      readonly isCached: boolean;
      readonly error?: string;
    }
  | { readonly kind: "warned"; readonly name: string; readonly text: string; readonly warnings: readonly Warning[] };

export type BuildListener = (event: BuildEvent) => void;

export class Reporter {
  readonly #listener: BuildListener;
  /** In the order in which they began. */
  readonly steps: RunningStep[] = [];

  constructor(listener: BuildListener) {
    this.#listener = listener;
  }

  planned(steps: number): void {
    this.#listener({ kind: "planned", steps });
  }

  /** Of the Dockerfile. */
  warn(name: string, text: string, warnings: readonly Warning[]): void {
    if (warnings.length > 0) this.#listener({ kind: "warned", name, text, warnings });
  }

  begin(step: Omit<ReportedStep, "id">, isFresh: boolean): RunningStep {
    const running = new RunningStep(this.#listener, { id: this.steps.length + 1, ...step }, isFresh);
    this.steps.push(running);
    return running;
  }
}

export class RunningStep {
  readonly #listener: BuildListener;
  readonly step: ReportedStep;
  readonly #said: SaidOutput;
  /** The cache is not asked. */
  readonly isFresh: boolean;
  isCached = false;
  /** Milliseconds since 1970. */
  readonly began = Date.now();
  ended = 0;
  error = "";
  readonly waits: Wait[] = [];
  readonly parts: Record<string, string> = Object.create(null);

  constructor(listener: BuildListener, step: ReportedStep, isFresh: boolean) {
    this.#listener = listener;
    this.step = step;
    this.isFresh = isFresh;
    this.#said = new SaidOutput((stream, data) => listener({ kind: "output", step, stream, data }));
    listener({ kind: "began", step, time: this.began });
  }

  /** What the step depends on, beside what lies below it, for those who ask later why it was made anew. */
  depends(parts: Iterable<readonly [name: string, value: string]>): void {
    for (const [name, value] of parts) this.parts[name] = shortDigest(value);
  }

  /** The key of the files below it. */
  standsOn(key: string): void {
    this.parts[belowPart] = shortDigest(key);
  }

  /** A base, by its id. */
  isBuiltOn(id: string): void {
    this.parts[basePart] = id;
  }

  /** Waits, and keeps how long that took. */
  async waitFor<T>(what: string, promise: Promise<T>): Promise<T> {
    const began = Date.now();
    try {
      return await promise;
    } finally {
      this.waited({ for: what, milliseconds: Date.now() - began });
    }
  }

  waited(wait: Wait): void {
    this.waits.push(wait);
  }

  say(stream: OutputName, data: Uint8Array): void {
    this.#said.add(stream, data);
  }

  end(error?: string): void {
    const { step, isCached } = this;
    this.#said.end();
    this.ended = Date.now();
    this.error = error ?? "";
    this.#listener({ kind: "ended", step, time: this.ended, isCached, ...(error === undefined ? {} : { error }) });
  }
}
