/** What a Dockerfile says of its own stages and arguments, for those who ask what there is. */
import type { LineRange } from "./source.ts";

/** Descriptions by what they are of: `# NAME what it is` above the instruction, without an empty line between. */
export const descriptionsAbove = (lines: readonly string[], { start }: LineRange): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  for (let at = start - 2; at >= 0; at--) {
    const comment = /^\s*#\s*(.*?)\s*$/.exec(lines[at]!)?.[1];
    if (comment === undefined) break;
    const space = comment.indexOf(" ");
    // Of several the first one counts.
    if (space > 0) found.set(comment.slice(0, space), comment.slice(space + 1));
  }
  return found;
};
