/** What a build tells while it goes on: steps begin, say something, and end. */

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
}

export type BuildEvent =
  | { readonly kind: "planned"; readonly steps: number }
  | { readonly kind: "began"; readonly step: ReportedStep; readonly time: number }
  | {
      readonly kind: "output";
      readonly step: ReportedStep;
      readonly stream: "stdout" | "stderr";
      readonly data: Uint8Array;
    }
  | {
      readonly kind: "ended";
      readonly step: ReportedStep;
      readonly time: number;
      readonly isCached: boolean;
      readonly error?: string;
    };

export type BuildListener = (event: BuildEvent) => void;

export class Reporter {
  readonly #listener: BuildListener;
  #count = 0;

  constructor(listener: BuildListener) {
    this.#listener = listener;
  }

  planned(steps: number): void {
    this.#listener({ kind: "planned", steps });
  }

  begin(step: Omit<ReportedStep, "id">, isFresh: boolean): RunningStep {
    return new RunningStep(this.#listener, { id: ++this.#count, ...step }, isFresh);
  }
}

export class RunningStep {
  readonly #listener: BuildListener;
  readonly step: ReportedStep;
  /** The cache is not asked. */
  readonly isFresh: boolean;
  isCached = false;

  constructor(listener: BuildListener, step: ReportedStep, isFresh: boolean) {
    this.#listener = listener;
    this.step = step;
    this.isFresh = isFresh;
    listener({ kind: "began", step, time: Date.now() });
  }

  say(stream: "stdout" | "stderr", data: Uint8Array): void {
    this.#listener({ kind: "output", step: this.step, stream, data });
  }

  end(error?: string): void {
    const { step, isCached } = this;
    this.#listener({ kind: "ended", step, time: Date.now(), isCached, ...(error === undefined ? {} : { error }) });
  }
}
