/** A build's steps as BuildKit's vertices, kept until whoever asks for them has them. */
import { createHash } from "node:crypto";
import type { BuildEvent, ReportedStep } from "../../build/report.ts";
import { frameOf } from "../../format/buildkit/grpc.ts";
import { status } from "../../format/buildkit/messages.ts";
import { encodeMessage, type Message } from "../../format/protobuf.ts";
import { warningOf } from "./checks.ts";

const time = (milliseconds: number) => ({
  seconds: Math.floor(milliseconds / 1000),
  nanos: (milliseconds % 1000) * 1_000_000,
});

export class Progress {
  readonly #salt: string;
  readonly #messages: Uint8Array[] = [];
  readonly #started = new Map<number, number>();
  #isOver = false;
  #wake: () => void = () => {};

  constructor(salt: string) {
    this.#salt = salt;
  }

  hear(event: BuildEvent): void {
    if (event.kind === "warned") {
      const vertex = this.#digest({ id: 1 });
      this.#push({ warnings: event.warnings.map((warning) => warningOf(vertex, event, warning)) });
      return;
    }
    if (event.kind === "planned" || event.step.isMetadata) return;
    const { step } = event;
    const digest = this.#digest(step);
    const name = step.name;
    if (event.kind === "began") {
      this.#started.set(step.id, event.time);
      this.#push({
        vertexes: [
          { digest, name, inputs: [], cached: false, started: time(event.time), completed: undefined, error: "" },
        ],
      });
    } else if (event.kind === "output") {
      const stream = event.stream === "stderr" ? 2 : 1;
      this.#push({ logs: [{ vertex: digest, timestamp: time(Date.now()), stream, msg: event.data }] });
    } else {
      const started = time(this.#started.get(step.id) ?? event.time);
      const vertex = {
        digest,
        name,
        inputs: [],
        cached: event.isCached,
        started,
        completed: time(event.time),
        error: event.error ?? "",
      };
      this.#push({ vertexes: [vertex] });
    }
  }

  /** A step that is not the Dockerfile's. */
  tell(id: number, name: string, began: number, ended: number): void {
    const digest = this.#digest({ id });
    const vertex = { digest, name, inputs: [], cached: false, started: time(began), completed: time(ended), error: "" };
    this.#push({ vertexes: [vertex] });
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *frames(): AsyncGenerator<Uint8Array> {
    for await (const message of this.messages()) yield frameOf(message);
  }

  async *messages(): AsyncGenerator<Uint8Array> {
    for (let at = 0; ; ) {
      const message = this.#messages[at];
      if (message !== undefined) {
        at++;
        yield message;
      } else if (this.#isOver) {
        // Whoever asked has had them: a build that is over is remembered, not what it said.
        this.#messages.length = 0;
        return;
      } else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #digest({ id }: Pick<ReportedStep, "id">): string {
    return `sha256:${createHash("sha256").update(`${this.#salt}/${id}`).digest("hex")}`;
  }

  #push(value: Partial<Message<typeof status>>): void {
    this.#messages.push(encodeMessage(status, value));
    this.#wake();
  }
}
