/** Reads a table of system calls: rows of names, separated by spaces, that have consecutive numbers from the row's first. */
export const syscallNumbers = (
  rows: readonly (readonly [first: number, names: string])[],
): ReadonlyMap<string, number> =>
  new Map(rows.flatMap(([first, names]) => names.split(" ").map((name, index) => [name, first + index] as const)));
