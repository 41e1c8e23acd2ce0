/** A question at the terminal. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { print } from "./output.ts";

/** The answer, without what ends it; what is secret is not shown while it is typed. */
export const ask = async (question: string, { isSecret = false } = {}): Promise<string> => {
  print(question);
  const output = isSecret ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stdout;
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await lines.question("");
  } finally {
    lines.close();
    if (isSecret) print("\n");
  }
};
