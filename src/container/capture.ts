/** The first bytes that a session says, on both streams, in place of a client. */
import { Duplex } from "node:stream";
import { FrameDecoder } from "../format/raw-stream.ts";

export class Capture extends Duplex {
  readonly #decoder = new FrameDecoder();
  readonly #limit: number;
  readonly #parts: Uint8Array[] = [];
  #size = 0;
  #isCut = false;

  constructor(limit: number) {
    super();
    this.#limit = limit;
    this.push(null);
  }

  /** What was kept; three dots stand for the rest. */
  get text(): string {
    return `${Buffer.concat(this.#parts).toString()}${this.#isCut ? "..." : ""}`;
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    for (const { data } of this.#decoder.push(chunk)) {
      const kept = data.slice(0, this.#limit - this.#size);
      this.#parts.push(kept);
      this.#size += kept.length;
      this.#isCut ||= kept.length < data.length;
    }
    done();
  }
}
