/** The steps of a build as its daemon tells of them: BuildKit's vertices. */
import { status } from "../../format/buildkit/messages.ts";
import { decodeMessage, type Message } from "../../format/protobuf.ts";

export type BuildStatus = Message<typeof status>;

export const decodeStatus = (text: string): BuildStatus => decodeMessage(status, Buffer.from(text, "base64"));

export interface BuildStep {
  /** Counted from 1 in the order in which they were told of. */
  readonly number: number;
  readonly name: string;
  /** Of its stage, as `[build 2/5] RUN make` names it; "" for the only one. */
  readonly stage: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  readonly ended?: number;
  readonly isCached: boolean;
  readonly error: string;
  /** The last that it said, in whole lines but for the last. */
  readonly output: string;
}

/** Of what a step says, for the case that it fails. */
const keptOutput = 256 * 1024;

type Time = { readonly seconds: number; readonly nanos: number };
export const milliseconds = ({ seconds, nanos }: Time): number => seconds * 1000 + nanos / 1e6;

const stageOf = (name: string): string => /^\[(?:(.*) )?\d+\/\d+\]/.exec(name)?.[1] ?? "";

export class BuildSteps {
  readonly #steps = new Map<string, BuildStep>();

  get all(): readonly BuildStep[] {
    return [...this.#steps.values()];
  }

  get(digest: string): BuildStep | undefined {
    return this.#steps.get(digest);
  }

  /** What the Dockerfile is warned of. */
  readonly warnings: string[] = [];

  hear({ vertexes, logs, warnings }: BuildStatus): void {
    for (const warning of warnings)
      if (warning !== undefined) this.warnings.push(Buffer.from(warning.short).toString());
    for (const vertex of vertexes) {
      if (vertex === undefined) continue;
      const { digest, name, cached: isCached, error, started, completed } = vertex;
      const before = this.#steps.get(digest);
      this.#steps.set(digest, {
        number: before?.number ?? this.#steps.size + 1,
        ...{ name, isCached, error, stage: stageOf(name), output: before?.output ?? "" },
        started: started === undefined ? Date.now() : milliseconds(started),
        ...(completed === undefined ? {} : { ended: milliseconds(completed) }),
      });
    }
    for (const log of logs) {
      const step = log === undefined ? undefined : this.#steps.get(log.vertex);
      if (step === undefined) continue;
      const output = (step.output + Buffer.from(log!.msg).toString("utf8")).slice(-keptOutput);
      this.#steps.set(log!.vertex, { ...step, output });
    }
  }
}

export const seconds = (from: number, to: number): string => `${(Math.max(0, to - from) / 1000).toFixed(1)}s`;

/** What the steps that failed said, for those who have not seen it. */
export const failedOutput = (steps: readonly BuildStep[]): string =>
  steps
    .filter(({ error, output }) => error !== "" && output !== "")
    .map(({ name, output }) => `------\n > ${name}:\n${output.trimEnd()}\n------\n`)
    .join("");
