/** The keys that leave a container's terminal without ending it: `ctrl-p,ctrl-q` unless others are asked for. */
import { detachKey } from "../../format/detach-key.ts";
import { cliError } from "../errors.ts";

const defaults = Uint8Array.of(0x10, 0x11);

/** `a`, `ctrl-x`, `ctrl-@`, `DEL`, several with commas; empty for the usual ones. */
export const parseDetachKeys = (keys: string): Uint8Array => {
  if (keys === "") return defaults;
  return Uint8Array.from(
    keys.split(",").map((part) => {
      const key = detachKey(part);
      if (key === undefined) throw cliError("detachKeys", { keys, part });
      return key;
    }),
  );
};

/** Watches what is typed; keys that may begin the sequence are held back until it is clear that they do not. */
export class DetachKeys {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** What goes on to the container, and whether the sequence is complete: then the rest goes nowhere. */
  push(typed: Uint8Array): { readonly data: Uint8Array; readonly detached: boolean } {
    const data: number[] = [];
    for (const byte of typed) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        data.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) this.#matched++;
      else data.push(byte);
      if (this.#matched === this.#keys.length) return { data: Uint8Array.from(data), detached: true };
    }
    return { data: Uint8Array.from(data), detached: false };
  }
}
