/** Decoders of the keeper, each with a driver that says what it makes of bytes that no encoder wrote. */
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import type { Checked } from "./compile.ts";

export const EBADMSG = 74;
export const EPROTONOSUPPORT = 93;

/** What the decoder says of each: its error number, and what it read. */
export const decodeAll = (checked: Checked, all: readonly Uint8Array[]): { error: number; sum: string }[] => {
  const input = Buffer.concat(
    all.flatMap((bytes) => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(bytes.length);
      return [size, bytes];
    }),
  );
  const file = join(dirname(checked.program), "input");
  const output = execFileSync(checked.program, [file], { input, maxBuffer: 1 << 26, encoding: "utf8" });
  return output
    .trimEnd()
    .split("\n")
    .map((line) => ({ error: Number(line.split(" ")[0]), sum: line.split(" ")[1]! }));
};

export const withBytes = (bytes: Uint8Array, at: number, ...values: readonly number[]): Uint8Array => {
  const changed = bytes.slice();
  changed.set(values, at);
  return changed;
};

/** Every word that could be a size, a count or a code, made large, small and off by a little. */
export const wordChanges = (bytes: Uint8Array): Uint8Array[] => {
  const changed: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 4 <= bytes.length; at += 4) {
    const value = view.getUint32(at, true);
    for (const other of [0, 1, value + 1, value - 1, value + 8, value - 8, 0x7fff_ffff, 0xffff_ffff, 0xffff_fff8]) {
      const copy = bytes.slice();
      new DataView(copy.buffer).setUint32(at, other >>> 0, true);
      if (other >>> 0 !== value) changed.push(copy);
    }
  }
  return changed;
};
