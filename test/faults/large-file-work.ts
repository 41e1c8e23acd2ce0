/**
 * For the tests of power cuts: files that are large by a small measure, so that most of their bytes go around the kernel's
 * cache; says before and after each what is there under its final name.
 */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createDirectory, Pending, renameDurably } from "../../src/base/durable.ts";
import { DurableFile } from "../../src/base/durable-file.ts";
import { seenFiles } from "./seen.ts";

const [root] = process.argv.slice(2) as [string];
const sizes = { cached: 8192, cachedBlock: 4096, directBlock: 8192, writeBack: 16_384 };
const files = join(root, "files");

/** Bytes of which no two sectors are the same. */
const bytesOf = (seed: string, size: number): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(size / 32) }, (_, n) => createHash("sha256").update(`${seed} ${n}`).digest()),
  ).subarray(0, size);

const write = async (file: DurableFile, bytes: Buffer, piece: number): Promise<void> => {
  for (let at = 0; at < bytes.length; at += piece) await file.write(bytes.subarray(at, at + piece));
};

const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const step = async (what: string, work: () => Promise<unknown>): Promise<void> => {
  say({ begins: what });
  await work();
  say({ ended: seenFiles(root) });
};

/** As a layer is written: beside its place, then named. */
const store = async (name: string, bytes: Buffer): Promise<void> => {
  await using pending = new Pending(join(files, name));
  await using file = await DurableFile.create(pending.temporary, 0o600, sizes);
  await write(file, bytes, 3000);
  await file.finish();
  await pending.commit();
};

/** As a blob comes whose pull breaks off: the next one goes on behind what it finds, at whatever place that is. */
const fetch = async (name: string, bytes: Buffer): Promise<void> => {
  const partial = join(files, `.${name}`);
  {
    await using file = await DurableFile.append(partial, 0o600, sizes);
    await write(file, bytes.subarray(0, 21_000), 5000);
  }
  await using file = await DurableFile.append(partial, 0o600, sizes);
  await write(file, bytes.subarray(file.size), 7000);
  await file.finish();
  await renameDurably(partial, join(files, name));
};

await createDirectory(files);
await step("a large file is written", () => store("one", bytesOf("one", 30_000)));
await step("one comes in two pieces", () => fetch("two", bytesOf("two", 45_000)));
await step("one ends at a border", () => store("three", bytesOf("three", 24_576)));
