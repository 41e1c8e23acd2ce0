/** `pier ps` */
import type { ContainerSummary } from "../../api/answers/containers.ts";
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

const type = "*formatter.ContainerContext";
const raw = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{.State}}
status: {{.Status}}
names: {{.Names}}
labels: {{.Labels}}
ports: {{.Ports}}
`;

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
    const limit = flags.latest && flags.last === -1 ? 1 : flags.last;
    const usesSize = flags.format !== "" && (await checkFormat(flags.format));
    const query = {
      all: flags.all,
      limit: limit > 0 ? limit : undefined,
      size: flags.size || (usesSize && !flags.quiet && !given.has("size")),
      filters: encodeFilters(flags.filter),
    };
    const containers = await client.get("containerList", {}, { query });
    const rows = containers.map((container) => rowOf(container, flags["no-trunc"]));
    const ignored = flags.quiet && flags.format !== "";
    if (ignored) printError("WARNING: Ignoring custom format, because both --format and --quiet are set.\n");
    const list = {
      type,
      headings,
      columns: flags.size ? [...columns, "Size"] : columns,
      raw: flags.size ? `${raw}size: {{.Size}}\n` : raw,
    };
    await printList(list, rows, ignored && flags.format !== "raw" ? "" : flags.format, flags.quiet);
  },
});

/** Whether the template shows sizes, which the daemon adds up only when it is asked to; throws for one that is wrong. */
const checkFormat = async (format: string): Promise<boolean> => {
  const { fillRow, readListFormat } = await import("../output/format.ts");
  const template = readListFormat(format, { before: "failed to parse template: " });
  let used = false;
  const Size = (): string => {
    used = true;
    return "";
  };
  fillRow(template, type, { ...rowOf(nothing, false), Size }, { before: "failed to execute template: " });
  return used;
};

const nothing: ContainerSummary = {
  Id: "",
  Names: [],
  Image: "",
  ImageID: "",
  Command: "",
  Created: 0,
  Ports: [],
  Labels: {},
  State: "created",
  Status: "",
  HostConfig: { NetworkMode: "" },
  NetworkSettings: { Networks: {} },
  Mounts: [],
};

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
  // Which platform an image is for is not told by the daemon.
  Platform: () => undefined,
  Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(","),
});

const imageOf = ({ Image, ImageID }: ContainerSummary, whole: boolean): string => {
  if (Image === "") return "<no image>";
  if (whole) return Image;
  if (shortId(Image) === shortId(ImageID)) return shortId(Image);
  return Image.replace(/@sha256:[0-9a-f]{64}$/, "");
};
