/** What an answer brings goes to a file or to standard output. */
import { createWriteStream, rmSync } from "node:fs";
import { rename } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { Output } from "./output.ts";

/** Holds afterwards: all of it is at the path, which had what it had before until then; without a path, at standard output. */
export const saveTo = async (path: string, body: AsyncIterable<Buffer>): Promise<void> => {
  if (path === "") return print(body);
  const temporary = `${path}.pier-${process.pid}`;
  try {
    await pipeline(body, createWriteStream(temporary, { flags: "wx", mode: 0o600 }));
    await rename(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
};

const print = async (body: AsyncIterable<Buffer>): Promise<void> => {
  const output = new Output(1);
  for await (const chunk of body) if (!output.push(chunk)) await output.calm();
  await output.calm();
};
