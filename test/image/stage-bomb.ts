/**
 * For the tests of bombs: stages a layer of so many entries in a process of its own; says what came of it, by how many
 * bytes the process grew, and what was left on disk.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "../../src/base/database.ts";
import { checksums } from "../../src/format/tar/numbers.ts";
import { encodeHeader } from "../../src/format/tar/write.ts";
import { Images } from "../../src/image/images.ts";
import { fileHeader } from "./rooms.ts";

const [kind, entries] = process.argv.slice(2) as [string, string];

const nameOf: Readonly<Record<string, (index: number) => string>> = {
  flat: (index) => `f${index}`,
  spread: (index) => `d${index % 1000}/e${Math.floor(index / 1000) % 1000}/f${index}`,
  long: (index) => `${index}`.padStart(100, "n"),
  times: (index) => `d${index >> 8}/f${index}`,
};

const BLOCK = 512;
const batch = 512;
const template = Buffer.concat(encodeHeader(fileHeader("0", 0)));

/** One header as a tar of version 7 has it: of one block, made at its place. */
const putHeader = (bytes: Buffer, at: number, index: number): void => {
  const block = bytes.subarray(at, at + BLOCK);
  template.copy(block);
  block.write(nameOf[kind!]!(index), "latin1");
  if (kind === "times") block.write(index.toString(8).padStart(11, "0"), 136);
  block.write(checksums(block).unsigned.toString(8).padStart(6, "0"), 148);
};

const tar = async function* (): AsyncGenerator<Uint8Array> {
  for (let first = 0; first < Number(entries); first += batch) {
    const count = Math.min(batch, Number(entries) - first);
    const bytes = Buffer.alloc(count * BLOCK);
    for (let index = 0; index < count; index++) putHeader(bytes, index * BLOCK, first + index);
    yield bytes;
  }
  yield new Uint8Array(2 * BLOCK);
};

/** Names that no single header holds. */
const deepTar = async function* (): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < Number(entries); index++) {
    yield Buffer.concat(encodeHeader(fileHeader(`${"d/".repeat(2040)}f${index}`, 0)));
  }
  yield new Uint8Array(2 * BLOCK);
};

const peak = (): number => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]);

const root = mkdtempSync(join(tmpdir(), "pier-bomb-"));
try {
  using database = new Database(join(root, "pier.db"));
  const images = await Images.open(root, database);
  const before = peak();
  let said = "stored";
  try {
    await using _staged = await images.layers.stage(kind === "deep" ? deepTar() : tar());
  } catch (error) {
    said = error instanceof Error ? error.message : String(error);
  }
  process.stdout.write(JSON.stringify({ said, grown: peak() - before, left: readdirSync(join(root, "layers")) }));
} finally {
  rmSync(root, { recursive: true, force: true });
}
