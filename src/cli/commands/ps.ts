/** `pier ps` */
import type { ContainerSummary } from "../../api/answers.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printList, type Row } from "../output/list.ts";
import { formatPorts } from "../output/ports.ts";
import { ellipsis, shortId } from "../output/table.ts";
import { formatAgo, formatMoment } from "../output/times.ts";
import { printError } from "../streams/output.ts";
import { formatSize } from "../values/bytes.ts";
import { encodeFilters, filters } from "../values/filters.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, integer, text } from "../values/kinds.ts";
import { quote } from "../values/quote.ts";

const headings = {
  ID: "CONTAINER ID",
  Names: "NAMES",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  Ports: "PORTS",
  State: "STATE",
  Status: "STATUS",
  Size: "SIZE",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
} as const;

const columns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];

export const ps = command({
  usage: "[OPTIONS]",
  flags: {
    all: flag(boolean(), "Show all containers (default shows just running)", { short: "a" }),
    filter: flag(filters, "Filter output based on conditions provided", { short: "f" }),
    format: flag(text(), formatHelp("table")),
    last: flag(integer(-1), "Show n last created containers (includes all states)", { short: "n" }),
    latest: flag(boolean(), "Show the latest created container (includes all states)", { short: "l" }),
    "no-trunc": flag(boolean(), "Don't truncate output"),
    quiet: flag(boolean(), "Only display container IDs", { short: "q" }),
    size: flag(boolean(), "Display total file sizes", { short: "s" }),
  },
  least: 0,
  most: 0,
  run: async ({ values: flags, given, client }) => {
    const limit = flags.latest && !given.has("last") ? 1 : flags.last;
    const size = flags.size || /\.Size\b|\bjson\s+\.(?!\w)/.test(flags.format);
    const query = {
      all: flags.all,
      limit: limit > 0 ? limit : undefined,
      size,
      filters: encodeFilters(flags.filter),
    };
    const containers = await client.get("containerList", {}, { query });
    const rows = containers.map((container) => rowOf(container, flags["no-trunc"]));
    const ignored = flags.quiet && flags.format !== "";
    if (ignored) printError("WARNING: Ignoring custom format, because both --format and --quiet are set.\n");
    const list = {
      type: "*formatter.ContainerContext",
      headings,
      columns: flags.size ? [...columns, "Size"] : columns,
    };
    await printList(list, rows, ignored ? "" : flags.format, flags.quiet);
  },
});

const rowOf = (container: ContainerSummary, whole: boolean): Row => ({
  ID: () => (whole ? container.Id : shortId(container.Id)),
  Names: () => {
    const names = container.Names.map((name) => name.replace(/^\//, ""));
    // The names that links give have a slash in them.
    return (whole ? names : names.filter((name) => !name.includes("/"))).join(",");
  },
  Image: () => imageOf(container, whole),
  Command: () => quote(whole ? container.Command : ellipsis(container.Command, 20)),
  CreatedAt: () => formatMoment(container.Created),
  RunningFor: () => formatAgo(container.Created),
  Ports: () => formatPorts(container.Ports),
  State: () => container.State,
  Status: () => container.Status,
  Size: () => {
    const { SizeRw = 0, SizeRootFs = 0 } = container;
    return `${formatSize(SizeRw)}${SizeRootFs > 0 ? ` (virtual ${formatSize(SizeRootFs)})` : ""}`;
  },
  Labels: () =>
    Object.entries(container.Labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(","),
  Mounts: () =>
    container.Mounts.map((mount) => mount.Name || mount.Source)
      .map((name) => (whole ? name : ellipsis(name, 15)))
      .join(","),
  Label: (name: string) => container.Labels?.[name] ?? "",
  LocalVolumes: () => String(container.Mounts.filter(({ Driver }) => Driver === "local").length),
  Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(","),
});

const imageOf = ({ Image, ImageID }: ContainerSummary, whole: boolean): string => {
  if (Image === "") return "<no image>";
  if (whole) return Image;
  if (shortId(Image) === shortId(ImageID)) return shortId(Image);
  return Image.replace(/@sha256:[0-9a-f]{64}$/, "");
};
