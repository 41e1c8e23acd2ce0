/** `pier builder prune`, `pier buildx prune|du`: what builds have kept. */
import type { BuildCacheAnswer, BuildPruneAnswer } from "../../api/answers/builds.ts";
import type { DiskUsageAnswer } from "../../api/answers/system.ts";
import { command } from "../command.ts";
import { isConfirmed } from "../confirm.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { formatTable } from "../output/table.ts";
import { formatAgo } from "../output/times.ts";
import { print } from "../streams/output.ts";
import { formatSize } from "../values/bytes.ts";
import { encodeFilters, filters } from "../values/filters.ts";
import { boolean, bytes } from "../values/kinds.ts";

export const builderPrune = command({
  usage: "[OPTIONS]",
  flags: {
    all: flag(boolean(), "Remove all unused build cache, not just dangling ones", { short: "a" }),
    filter: flag(filters, 'Provide filter values (e.g. "until=24h")'),
    force: flag(boolean(), "Do not prompt for confirmation", { short: "f" }),
    "keep-storage": flag(bytes, "Amount of disk space to keep for cache"),
    "max-used-space": flag(bytes, "Maximum amount of disk space allowed to keep for cache"),
    "min-free-space": flag(bytes, "Target amount of free disk space after pruning"),
    "reserved-space": flag(bytes, "Amount of disk space always allowed to keep for cache"),
  },
  least: 0,
  most: 0,
  run: async ({ values: flags, client }) => {
    const what = flags.all ? "all build cache" : "all dangling build cache";
    if (!flags.force && !(await isConfirmed(`WARNING! This will remove ${what}.`)))
      throw cliError("pruneCancelled", { what: "builder" });
    const bounds = (["keep-storage", "max-used-space", "min-free-space", "reserved-space"] as const)
      .filter((name) => flags[name] > 0)
      .map((name) => [name, String(flags[name])]);
    const query = {
      filters: encodeFilters(flags.filter),
      ...(flags.all ? { all: "1" } : {}),
      ...Object.fromEntries(bounds),
    };
    const answer = JSON.parse(await client.text("buildPrune", {}, { query })) as BuildPruneAnswer;
    const gone = answer.CachesDeleted ?? [];
    if (gone.length > 0) print(`Deleted build cache objects:\n${gone.join("\n")}\n\n`);
    print(`Total reclaimed space: ${formatSize(answer.SpaceReclaimed)}\n`);
  },
});

const ago = (date: string): string => formatAgo(Math.trunc(Date.parse(date) / 1000));

const fieldsOf = (entry: BuildCacheAnswer): readonly (readonly [string, string])[] => [
  ["ID", entry.ID],
  ["Created at", entry.CreatedAt],
  ["Mutable", String(entry.Type === "exec.cachemount")],
  ["Reclaimable", String(!entry.InUse)],
  ["Shared", String(entry.Shared)],
  ["Size", formatSize(entry.Size)],
  ["Description", entry.Description],
  ["Usage count", String(entry.UsageCount)],
  ["Last used", ago(entry.LastUsedAt)],
  ["Type", entry.Type],
];

const sizeOf = (entries: readonly BuildCacheAnswer[]): string =>
  formatSize(entries.reduce((sum, { Size }) => sum + Size, 0));

export const builderUsage = command({
  usage: "[OPTIONS]",
  flags: { verbose: flag(boolean(), "Provide a more verbose output") },
  least: 0,
  most: 0,
  run: async ({ values: { verbose }, client }) => {
    const query = { type: "build-cache" };
    const usage = JSON.parse(await client.text("systemDf", {}, { query })) as Partial<DiskUsageAnswer>;
    const entries = usage.BuildCache ?? [];
    if (verbose) {
      for (const entry of entries)
        print(`${formatTable(fieldsOf(entry).map(([name, value]) => [`${name}:`, value]))}\n`);
    } else {
      const rows = entries.map((entry) => [
        ...[entry.ID.slice(0, 25), String(!entry.InUse), formatSize(entry.Size), ago(entry.LastUsedAt)],
      ]);
      print(formatTable([["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED"], ...rows]));
    }
    const lines = [
      ["Shared:", sizeOf(entries.filter(({ Shared }) => Shared))],
      ["Private:", sizeOf(entries.filter(({ Shared }) => !Shared))],
      ["Reclaimable:", sizeOf(entries.filter(({ InUse }) => !InUse))],
      ["Total:", sizeOf(entries)],
    ];
    print(formatTable(lines));
  },
});
