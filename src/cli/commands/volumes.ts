/** `pier volume ls` */
import type { VolumeAnswer } from "../../api/answers/volumes.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printList, type Row } from "../output/list.ts";
import { encodeFilters, filters } from "../values/filters.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, text } from "../values/kinds.ts";

const headings = {
  ID: "VOLUME NAME",
  Name: "VOLUME NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  Mountpoint: "MOUNTPOINT",
  Labels: "LABELS",
  Links: "LINKS",
  Size: "SIZE",
  Availability: "AVAILABILITY",
  Group: "GROUP",
  Status: "STATUS",
} as const;

export const volumes = command({
  usage: "[OPTIONS]",
  flags: {
    filter: flag(filters, 'Provide filter values (e.g. "dangling=true")', { short: "f" }),
    format: flag(text(), formatHelp("table")),
    quiet: flag(boolean(), "Only display volume names", { short: "q" }),
  },
  least: 0,
  most: 0,
  run: async ({ values: { filter, format, quiet }, client }) => {
    const { Volumes } = await client.get("volumeList", {}, { query: { filters: encodeFilters(filter) } });
    const rows = (Volumes ?? []).map(rowOf);
    const list = { type: "*formatter.volumeContext", headings, columns: ["Driver", "Name"], raw };
    await printList(list, rows, format, quiet);
  },
});

const raw = "name: {{.Name}}\ndriver: {{.Driver}}\n";

const rowOf = (volume: VolumeAnswer): Row => ({
  ID: () => volume.Name,
  Name: () => volume.Name,
  Driver: () => volume.Driver,
  Scope: () => volume.Scope,
  Mountpoint: () => volume.Mountpoint,
  Labels: () =>
    Object.entries(volume.Labels ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join(","),
  Label: (name = "") => (Object.hasOwn(volume.Labels ?? {}, name) ? volume.Labels![name]! : ""),
  // What only `system df` counts.
  Links: () => "N/A",
  Size: () => "N/A",
  Availability: () => "N/A",
  Group: () => "N/A",
  Status: () => "N/A",
});
