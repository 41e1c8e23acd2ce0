/**
 * Follows the frames and blocks of a zstd stream (RFC 8878) without decoding them. The runtimes' decoders say nothing
 * when a stream ends in the middle or goes on with rubbish, so this is what notices.
 */

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const CHECKSUM = 4;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

type Part = "magic" | "skippable-size" | "descriptor" | "block";

export class ZstdFrames {
  /** Bytes of the next part that are gathered, and how many it takes. */
  readonly #head = new Uint8Array(16);
  #gathered = 0;
  #wanted = 4;
  #part: Part = "magic";
  #skip = 0;
  #hasChecksum = false;
  #frames = 0;

  /** Follows the next bytes; answers what is wrong with them, if anything. */
  push(chunk: Uint8Array): string | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const length = Math.min(this.#skip, chunk.length - at);
        this.#skip -= length;
        at += length;
        continue;
      }
      const length = Math.min(this.#wanted - this.#gathered, chunk.length - at);
      this.#head.set(chunk.subarray(at, at + length), this.#gathered);
      this.#gathered += length;
      at += length;
      if (this.#gathered < this.#wanted) return undefined;
      const problem = this.#next();
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** True when the stream may end here: after a whole frame. */
  get isComplete(): boolean {
    return this.#part === "magic" && this.#gathered === 0 && this.#skip === 0 && this.#frames > 0;
  }

  #expect(part: Part, bytes: number): void {
    this.#part = part;
    this.#wanted = bytes;
    this.#gathered = 0;
  }

  #next(): string | undefined {
    const view = new DataView(this.#head.buffer);
    switch (this.#part) {
      case "magic": {
        const magic = view.getUint32(0, true);
        if (magic === FRAME_MAGIC) this.#expect("descriptor", 1);
        else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) this.#expect("skippable-size", 4);
        else return "what follows a frame is no frame";
        return undefined;
      }
      case "skippable-size":
        this.#skip = view.getUint32(0, true);
        this.#frames++;
        this.#expect("magic", 4);
        return undefined;
      case "descriptor": {
        const descriptor = view.getUint8(0);
        const isSingleSegment = (descriptor & 0x20) !== 0;
        this.#hasChecksum = (descriptor & 0x04) !== 0;
        const dictionary = [0, 1, 2, 4][descriptor & 3]!;
        const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
        this.#skip = (isSingleSegment ? 0 : 1) + dictionary + contentSize;
        this.#expect("block", 3);
        return undefined;
      }
      case "block":
        return this.#block(view.getUint16(0, true) | (view.getUint8(2) << 16));
    }
  }

  #block(header: number): string | undefined {
    const isLast = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) return "a block of the reserved type";
    this.#skip = type === RLE_BLOCK ? 1 : header >> 3;
    if (!isLast) {
      this.#expect("block", 3);
      return undefined;
    }
    if (this.#hasChecksum) this.#skip += CHECKSUM;
    this.#frames++;
    this.#expect("magic", 4);
    return undefined;
  }
}
