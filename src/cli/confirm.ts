/** A question before something goes that does not come back. */
import { readInput } from "./streams/input.ts";
import { print } from "./streams/output.ts";

/** Whether the person at standard input says yes; its end is a no. */
export const isConfirmed = async (warning: string): Promise<boolean> => {
  print(`${warning}\nAre you sure you want to continue? [y/N] `);
  let text = "";
  for await (const chunk of readInput()) {
    text += chunk.toString();
    if (text.includes("\n")) break;
  }
  return /^y(es)?$/i.test(text.split("\n", 1)[0]!.trim());
};
