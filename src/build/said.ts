/** What is told of a step's output: its beginning and its end. A step that talks without end must not fill the daemon. */

export type OutputName = "stdout" | "stderr";
type Tell = (stream: OutputName, data: Uint8Array) => void;

/** As much as BuildKit tells of a step; and of what comes after it the last, which says why a step has failed (bytes). */
const beginning = 2 * 1024 * 1024;
const ending = 64 * 1024;

interface Piece {
  readonly stream: OutputName;
  readonly data: Uint8Array;
}

export class SaidOutput {
  readonly #tell: Tell;
  #left = beginning;
  /** The last pieces of what was not told. */
  #tail: Piece[] = [];
  #tailSize = 0;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  add(stream: OutputName, data: Uint8Array): void {
    const told = data.subarray(0, this.#left);
    if (told.length > 0) this.#tell(stream, told);
    if (told.length === data.length) {
      this.#left -= told.length;
      return;
    }
    if (this.#left > 0 || this.#tailSize === 0) this.#note();
    this.#left = 0;
    this.#keep({ stream, data: Buffer.from(data.subarray(told.length)) });
  }

  /** Holds afterwards: the last of it has been told too. */
  end(): void {
    for (const { stream, data } of this.#tail) this.#tell(stream, data);
    this.#tail = [];
  }

  #note(): void {
    this.#tell(
      "stderr",
      Buffer.from(`\n[output clipped, log limit ${beginning / 1024 ** 2}MiB reached; its end follows]\n`),
    );
  }

  #keep(piece: Piece): void {
    this.#tail.push(piece);
    this.#tailSize += piece.data.length;
    for (let first = this.#tail[0]!; this.#tailSize - first.data.length >= ending; first = this.#tail[0]!) {
      this.#tail.shift();
      this.#tailSize -= first.data.length;
    }
  }
}
