/** `--filter name=value`, as often as one likes. */
import { cliError } from "../errors.ts";
import type { Kind } from "../flags.ts";
import { splitPair } from "./kinds.ts";

export type Filters = ReadonlyMap<string, ReadonlySet<string>>;

export const filters: Kind<Filters> = {
  placeholder: "filter",
  initial: new Map(),
  read: (text, before) => {
    if (text === "") return before;
    const [name, value] = splitPair(text);
    if (value === undefined) throw cliError("filterFormat", {});
    return withFilter(before, name.trim().toLowerCase(), value.trim());
  },
};

export const withFilter = (before: Filters, name: string, value: string): Filters =>
  new Map([...before, [name, new Set([...(before.get(name) ?? []), value])]]);

/** As the API takes them: `{"status":{"running":true}}`; undefined where there are none. */
export const encodeFilters = (given: Filters): string | undefined => {
  if (given.size === 0) return undefined;
  const sorted = [...given].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(
    Object.fromEntries(
      sorted.map(([name, values]) => [name, Object.fromEntries([...values].sort().map((value) => [value, true]))]),
    ),
  );
};
