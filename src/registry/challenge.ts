/** `WWW-Authenticate`: what a registry wants to see (RFC 9110, 11.6.1). */

export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
const parameter = new RegExp(`^\\s*,?\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`);
const scheme = new RegExp(`^[\\s,]*(${token})(?:\\s+|$|(?=,))`);
const longest = 16 * 1024;

/** The challenges of one header; what is no challenge ends the list. */
export const parseChallenges = (header: string): readonly Challenge[] => {
  const challenges: Challenge[] = [];
  let rest = header.slice(0, longest);
  while (rest.trim() !== "") {
    const start = scheme.exec(rest);
    if (start === null) break;
    rest = rest.slice(start[0].length);
    const parameters = new Map<string, string>();
    for (let found = parameter.exec(rest); found !== null; found = parameter.exec(rest)) {
      parameters.set(found[1]!.toLowerCase(), found[2]?.replace(/\\(.)/g, "$1") ?? found[3]!);
      rest = rest.slice(found[0].length);
    }
    challenges.push({ scheme: start[1]!.toLowerCase(), parameters });
  }
  return challenges;
};
