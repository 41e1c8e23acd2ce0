/** What somebody may have meant by a name that there is not. */

/** How many letters must be put in, taken out, replaced or exchanged with their neighbour. */
const distance = (one: string, other: string): number => {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isSwap) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[other.length]!;
};

/** ` (did you mean $NAME?)`, or nothing where no name is near enough. */
export const suggestion = (name: string, known: Iterable<string>, mark: string): string => {
  const most = Math.max(1, Math.floor(name.length / 3));
  const near = [...known]
    .map((one) => ({ one, away: distance(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ away }) => away <= most)
    .sort((a, b) => a.away - b.away || (a.one < b.one ? -1 : 1));
  return near[0] === undefined ? "" : ` (did you mean ${mark}${near[0].one}?)`;
};
