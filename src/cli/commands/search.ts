/** `pier search` */
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printList, type Row } from "../output/list.ts";
import { ellipsis } from "../output/table.ts";
import { authHeaders } from "../registry/auth.ts";
import { encodeFilters, filters } from "../values/filters.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, integer, text } from "../values/kinds.ts";

const list = {
  type: "*search.searchContext",
  headings: {
    Name: "NAME",
    Description: "DESCRIPTION",
    StarCount: "STARS",
    IsOfficial: "OFFICIAL",
    IsAutomated: "AUTOMATED",
  },
  columns: ["Name", "Description", "StarCount", "IsOfficial"],
} as const;

const widest = 45;

export const search = command({
  usage: "[OPTIONS] TERM",
  flags: {
    filter: flag(filters, "Filter output based on conditions provided", { short: "f" }),
    format: flag(text(), formatHelp("table")),
    limit: flag(integer(), "Max number of search results"),
    "no-trunc": flag(boolean(), "Don't truncate output"),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const [term = ""] = positional;
    const query = { term, limit: flags.limit, filters: encodeFilters(flags.filter) };
    const host = /^[^/]*[.:][^/]*\//.test(term) ? term : "docker.io/x";
    const found = await client.get("imageSearch", {}, { query, headers: await authHeaders(host) });
    const rows = found.map(
      (one): Row => ({
        Name: () => one.name,
        Description: () => {
          const words = one.description.replace(/[\r\n]+/g, " ");
          return flags["no-trunc"] ? words : ellipsis(words, widest);
        },
        StarCount: () => String(one.star_count),
        IsOfficial: () => (one.is_official ? "[OK]" : ""),
        IsAutomated: () => (one.is_automated ? "[OK]" : ""),
      }),
    );
    await printList(list, rows, flags.format, false);
  },
});
