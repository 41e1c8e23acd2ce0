/** Docker's classic build on the wire: one step after the other, whatever runs side by side. */
import { StringDecoder } from "node:string_decoder";
import type { BuildProgressLine } from "../../api/answers/builds.ts";
import type { BuildEvent, ReportedStep } from "../../build/report.ts";

interface Told {
  readonly step: ReportedStep;
  readonly events: BuildEvent[];
}

/** The lines of a build that goes on. A step that runs beside another is told when that one has ended. */
export class BuildLines {
  readonly #write: (line: BuildProgressLine) => void;
  #total = 0;
  #number = 0;
  #current: ReportedStep | undefined;
  #decoder = new StringDecoder("utf8");
  readonly #waiting: Told[] = [];

  constructor(write: (line: BuildProgressLine) => void) {
    this.#write = write;
  }

  hear(event: BuildEvent): void {
    if (event.kind === "planned") {
      this.#total = event.steps;
      return;
    }
    if (event.kind === "warned") return;
    const { step } = event;
    if (step.isInternal === true) return;
    if (this.#current === undefined) this.#begin(step);
    if (this.#current?.id === step.id) this.#tell(event);
    else this.#waitFor(step).events.push(event);
  }

  #waitFor(step: ReportedStep): Told {
    const known = this.#waiting.find((told) => told.step.id === step.id);
    if (known !== undefined) return known;
    const told = { step, events: [] };
    this.#waiting.push(told);
    return told;
  }

  #begin(step: ReportedStep): void {
    this.#current = step;
    this.#decoder = new StringDecoder("utf8");
    // Triggers of a base are steps that nobody counted.
    this.#total = Math.max(this.#total, ++this.#number);
    this.#write({ stream: `Step ${this.#number}/${this.#total} : ${step.text}\n` });
  }

  #tell(event: BuildEvent): void {
    if (event.kind === "output") {
      const text = this.#decoder.write(Buffer.from(event.data));
      if (text !== "") this.#write({ stream: text });
    }
    if (event.kind !== "ended") return;
    if (event.isCached) this.#write({ stream: " ---> Using cache\n" });
    this.#current = undefined;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#begin(next.step);
    for (const one of next.events) this.#tell(one);
  }
}
