/** The progress of a build as lines of text, each with its step's number: as BuildKit's clients print it. */
import { type BuildStatus, BuildSteps, milliseconds, seconds } from "./steps.ts";

export class PlainProgress {
  readonly #steps: BuildSteps;
  readonly #write: (text: string) => void;
  readonly #told = new Map<number, "begun" | "ended">();
  /** What a step has said of a line that is not over. */
  readonly #open = new Map<number, string>();
  #last = 0;

  constructor(write: (text: string) => void, steps = new BuildSteps()) {
    this.#write = write;
    this.#steps = steps;
  }

  hear(status: BuildStatus): void {
    this.#steps.hear(status);
    for (const vertex of status.vertexes) {
      const step = vertex === undefined ? undefined : this.#steps.get(vertex.digest);
      if (step === undefined) continue;
      const { number, name, error, isCached, started, ended } = step;
      if (!this.#told.has(number)) {
        this.#told.set(number, "begun");
        this.#say(number, name);
      }
      if (ended === undefined || this.#told.get(number) === "ended") continue;
      this.#told.set(number, "ended");
      this.#flush(number, started, ended);
      if (error !== "") this.#say(number, `ERROR: ${error}`);
      else this.#say(number, isCached ? "CACHED" : `DONE ${seconds(started, ended)}`);
    }
    for (const log of status.logs) {
      const step = log === undefined ? undefined : this.#steps.get(log.vertex);
      if (step === undefined) continue;
      const at = log!.timestamp === undefined ? step.started : milliseconds(log!.timestamp);
      const lines = ((this.#open.get(step.number) ?? "") + Buffer.from(log!.msg).toString("utf8")).split("\n");
      this.#open.set(step.number, lines.pop()!);
      for (const line of lines) this.#say(step.number, `${clock(step.started, at)} ${line}`);
    }
  }

  #flush(number: number, started: number, ended: number): void {
    const rest = this.#open.get(number) ?? "";
    if (rest !== "") this.#say(number, `${clock(started, ended)} ${rest}`);
    this.#open.delete(number);
  }

  #say(number: number, text: string): void {
    this.#write(`${number !== this.#last && this.#last !== 0 ? "\n" : ""}#${number} ${text}\n`);
    this.#last = number;
  }
}

const clock = (from: number, to: number): string => (Math.max(0, to - from) / 1000).toFixed(3);
