/** `pier network ls` */
import type { NetworkAnswer } from "../../api/answers/networks.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printList, type Row } from "../output/list.ts";
import { shortId } from "../output/table.ts";
import { formatMoment } from "../output/times.ts";
import { encodeFilters, filters } from "../values/filters.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, text } from "../values/kinds.ts";

const headings = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  IPv4: "IPV4",
  IPv6: "IPV6",
  Internal: "INTERNAL",
  Labels: "LABELS",
  CreatedAt: "CREATED AT",
} as const;

export const networks = command({
  usage: "[OPTIONS]",
  flags: {
    filter: flag(filters, 'Provide filter values (e.g. "driver=bridge")', { short: "f" }),
    format: flag(text(), formatHelp("table")),
    "no-trunc": flag(boolean(), "Do not truncate the output"),
    quiet: flag(boolean(), "Only display network IDs", { short: "q" }),
  },
  least: 0,
  most: 0,
  run: async ({ values: flags, client }) => {
    const found = await client.get("networkList", {}, { query: { filters: encodeFilters(flags.filter) } });
    const rows = [...found]
      .sort((a, b) => (a.Name < b.Name ? -1 : Number(a.Name > b.Name)))
      .map((network) => rowOf(network, flags["no-trunc"]));
    const list = { type: "*formatter.networkContext", headings, columns: ["ID", "Name", "Driver", "Scope"], raw };
    await printList(list, rows, flags.format, flags.quiet);
  },
});

const raw = "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n";

const rowOf = (network: NetworkAnswer, whole: boolean): Row => ({
  ID: () => (whole ? network.Id : shortId(network.Id)),
  Name: () => network.Name,
  Driver: () => network.Driver,
  Scope: () => network.Scope,
  IPv4: () => String(network.EnableIPv4),
  IPv6: () => String(network.EnableIPv6),
  Internal: () => String(network.Internal),
  Labels: () =>
    Object.entries(network.Labels)
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join(","),
  Label: (name = "") => (Object.hasOwn(network.Labels, name) ? network.Labels[name]! : ""),
  CreatedAt: () => formatMoment(Date.parse(network.Created) / 1000),
});
