/** `pier system df` */
import type { DiskAnswer, DiskUsageAnswer } from "../../api/answers/system.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printList, type Row } from "../output/list.ts";
import { ellipsis, formatTable, shortId } from "../output/table.ts";
import { formatAgo } from "../output/times.ts";
import { print } from "../streams/output.ts";
import { formatSize } from "../values/bytes.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, text } from "../values/kinds.ts";

const headings = {
  Type: "TYPE",
  TotalCount: "TOTAL",
  Active: "ACTIVE",
  Size: "SIZE",
  Reclaimable: "RECLAIMABLE",
} as const;

interface Sum {
  readonly type: string;
  readonly count: number;
  readonly active: number;
  /** Bytes. */
  readonly size: number;
  readonly reclaimable: number;
}

const isActive = (state: string): boolean => ["running", "paused", "restarting"].includes(state);
const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0);

const sumsOf = (usage: DiskUsageAnswer): readonly Sum[] => {
  const [images, containers, volumes] = [usage.Images ?? [], usage.Containers ?? [], usage.Volumes ?? []];
  // What images have too is counted with them.
  const cache = (usage.BuildCache ?? []).filter(({ Shared }) => !Shared);
  const used = images.filter(({ Containers }) => Containers > 0);
  const alive = containers.filter(({ State }) => isActive(State));
  const sizeOf = (some: typeof containers): number => sum(some.map(({ SizeRw }) => SizeRw ?? 0));
  const volumeSize = (some: typeof volumes): number =>
    sum(some.map(({ UsageData }) => Math.max(UsageData?.Size ?? 0, 0)));
  const idle = volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) === 0);
  return [
    {
      type: "Images",
      count: images.length,
      active: used.length,
      size: usage.LayersSize,
      // What used images share with others stays.
      reclaimable: Math.max(usage.LayersSize - sum(used.map(({ Size, SharedSize }) => Size - SharedSize)), 0),
    },
    {
      type: "Containers",
      count: containers.length,
      active: alive.length,
      size: sizeOf(containers),
      reclaimable: sizeOf(containers) - sizeOf(alive),
    },
    {
      type: "Local Volumes",
      count: volumes.length,
      active: volumes.length - idle.length,
      size: volumeSize(volumes),
      reclaimable: volumeSize(idle),
    },
    {
      type: "Build Cache",
      count: usage.BuildCache?.length ?? 0,
      active: cache.filter(({ InUse }) => InUse).length,
      size: sum(cache.map(({ Size }) => Size)),
      reclaimable: sum(cache.filter(({ InUse }) => !InUse).map(({ Size }) => Size)),
    },
  ];
};

const rowOf = ({ type, count, active, size, reclaimable }: Sum): Row => ({
  Type: () => type,
  TotalCount: () => String(count),
  Active: () => String(active),
  Size: () => formatSize(size),
  Reclaimable: () =>
    size > 0 ? `${formatSize(reclaimable)} (${Math.trunc((reclaimable / size) * 100)}%)` : formatSize(reclaimable),
});

export const df = command({
  usage: "[OPTIONS]",
  flags: {
    format: flag(text(), formatHelp("table")),
    verbose: flag(boolean(), "Show detailed information on space usage", { short: "v" }),
  },
  least: 0,
  most: 0,
  run: async ({ values: { format, verbose }, client }) => {
    if (verbose && format === "") {
      print(details(await client.get("disk", {})));
      return;
    }
    const rows = sumsOf(await client.get("systemDf", {})).map(rowOf);
    const list = { type: "*formatter.diskUsageContext", headings, columns: Object.keys(headings) };
    await printList(list, rows, format, false);
  },
});

const details = (usage: DiskAnswer): string => {
  const { Images, Containers, Volumes, BuildCache, Rest } = usage;
  const images = (Images ?? []).map(({ Id, RepoTags, Created, Size, SharedSize, Containers: users }) => {
    const [name = "<none>", tag = "<none>"] = RepoTags[0]?.split(/:(?=[^:/]*$)/) ?? [];
    const sizes = [Size, SharedSize, Size - SharedSize].map((size) => formatSize(size));
    return [name, tag, shortId(Id), formatAgo(Created), ...sizes, String(users)];
  });
  const containers = (Containers ?? []).map(({ Id, Image, Command, SizeRw, Created, Status, Names, Mounts }) => [
    shortId(Id),
    Image,
    ellipsis(`"${Command}"`, 20),
    String(Mounts.filter(({ Type }) => Type === "volume").length),
    formatSize(SizeRw ?? 0),
    formatAgo(Created),
    Status,
    Names.map((name) => name.slice(1)).join(","),
  ]);
  const volumes = (Volumes ?? []).map(({ Name, UsageData }) => [
    Name,
    String(UsageData?.RefCount ?? 0),
    formatSize(Math.max(UsageData?.Size ?? 0, 0)),
  ]);
  const cache = (BuildCache ?? []).map(({ ID, Type, Size, CreatedAt, LastUsedAt, UsageCount, Shared }) => [
    ID,
    Type,
    formatSize(Size),
    ...[CreatedAt, LastUsedAt].map((date) => formatAgo(Math.trunc(Date.parse(date) / 1000))),
    String(UsageCount),
    String(Shared),
  ]);
  const rest = Rest.map(({ Description, Size }) => [Description, formatSize(Size)]);
  const total = sum([...sumsOf(usage).map(({ size }) => size), ...Rest.map(({ Size }) => Size)]);
  const imageTitles = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"];
  const containerTitles = ["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"];
  const cacheTitles = ["CACHE ID", "CACHE TYPE", "SIZE", "CREATED", "LAST USED", "USAGE", "SHARED"];
  return [
    `Images space usage:\n\n${formatTable([imageTitles, ...images])}`,
    `Containers space usage:\n\n${formatTable([containerTitles, ...containers])}`,
    `Local Volumes space usage:\n\n${formatTable([["VOLUME NAME", "LINKS", "SIZE"], ...volumes])}`,
    `Build cache usage:\n\n${formatTable([cacheTitles, ...cache])}`,
    `Everything else:\n\n${formatTable([["WHAT", "SIZE"], ...rest])}`,
    `All of it: ${formatSize(total)}\n`,
  ].join("\n");
};
