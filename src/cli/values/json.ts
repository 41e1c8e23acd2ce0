/** JSON text, laid out anew without being read: numbers beyond 2^53 and the order of keys stay what they were. */

/** Strings as they are, and runs of everything else that is no white space, one by one. */
const tokens = (text: string): string[] => text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g) ?? [];

/** Without white space; throws what JSON.parse throws for what is no JSON. */
export const compactJson = (text: string): string => {
  JSON.parse(text);
  return tokens(text).join("");
};

/** Each element on a line of its own, as Go's json.Indent lays it out, from the given depth on. */
export const indentJson = (text: string, step = "    ", depth = 0): string => {
  let level = depth;
  let laid = "";
  let previous = "";
  const newLine = () => `\n${step.repeat(level)}`;
  for (const token of tokens(text)) {
    const opens = previous === "{" || previous === "[";
    if (token === "}" || token === "]") {
      level--;
      laid += opens ? token : newLine() + token;
    } else {
      if (opens) laid += newLine();
      laid += token;
      if (token === "{" || token === "[") level++;
      else if (token === ",") laid += newLine();
      else if (token === ":") laid += " ";
    }
    previous = token;
  }
  return laid;
};
