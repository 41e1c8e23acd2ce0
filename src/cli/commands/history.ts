/** `pier history` */
import type { ImageHistoryItem } from "../../api/answers/images.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printList, type Row } from "../output/list.ts";
import { ellipsis, shortId } from "../output/table.ts";
import { formatAgo } from "../output/times.ts";
import { formatSize } from "../values/bytes.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, text } from "../values/kinds.ts";
import { encodePlatform } from "../values/platform.ts";

const headings = {
  ID: "IMAGE",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  Comment: "COMMENT",
} as const;

export const history = command({
  usage: "[OPTIONS] IMAGE",
  flags: {
    format: flag(text(), formatHelp("table")),
    human: flag(boolean(true), "Print sizes and dates in human readable format", { short: "H" }),
    "no-trunc": flag(boolean(), "Don't truncate output"),
    platform: flag(
      text(),
      'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: flag(boolean(), "Only show image IDs", { short: "q" }),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const query = { platform: encodePlatform(flags.platform) };
    const items = await client.get("imageHistory", { name: positional[0]! }, { query });
    const rows = items.map((item) => rowOf(item, flags.human, flags["no-trunc"]));
    const columns = ["ID", flags.human ? "CreatedSince" : "CreatedAt", "CreatedBy", "Size", "Comment"];
    await printList({ type: "*image.historyContext", headings, columns }, rows, flags.format, flags.quiet);
  },
});

const rowOf = (item: ImageHistoryItem, human: boolean, whole: boolean): Row => {
  const createdAt = () => new Date(item.Created * 1000).toISOString().replace(".000Z", "Z");
  return {
    ID: () => (whole ? item.Id : item.Id.startsWith("<") ? item.Id : shortId(item.Id)),
    CreatedSince: () => (human ? formatAgo(item.Created) : createdAt()),
    CreatedAt: createdAt,
    CreatedBy: () => {
      const by = item.CreatedBy.replaceAll("\t", " ");
      return whole ? by : ellipsis(by, 45);
    },
    Size: () => (human ? formatSize(item.Size) : String(item.Size)),
    Comment: () => item.Comment,
  };
};
