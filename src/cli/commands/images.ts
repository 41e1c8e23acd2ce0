/** `pier images` */
import type { ImageSummary } from "../../api/answers/images.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printList, type Row } from "../output/list.ts";
import { shortId } from "../output/table.ts";
import { formatAgo, formatMoment } from "../output/times.ts";
import { formatSize } from "../values/bytes.ts";
import { encodeFilters, filters, withFilter } from "../values/filters.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, text } from "../values/kinds.ts";

const NONE = "<none>";

const headings = {
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Containers: "CONTAINERS",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
  VirtualSize: "SIZE",
} as const;

export const images = command({
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  flags: {
    all: flag(boolean(), "Show all images (default hides intermediate images)", { short: "a" }),
    digests: flag(boolean(), "Show digests"),
    filter: flag(filters, "Filter output based on conditions provided", { short: "f" }),
    format: flag(text(), formatHelp("table")),
    "no-trunc": flag(boolean(), "Don't truncate output"),
    quiet: flag(boolean(), "Only show image IDs", { short: "q" }),
  },
  least: 0,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const [name] = positional;
    const asked = name === undefined ? flags.filter : withFilter(flags.filter, "reference", name);
    const query = { all: flags.all, filters: encodeFilters(asked) };
    const found = await client.get("imageList", {}, { query });
    const digests = flags.digests || /\.Digest\b/.test(flags.format);
    const rows = found.flatMap((image) =>
      namesOf(image, digests).map((names) => rowOf(image, names, flags["no-trunc"])),
    );
    const columns = ["Repository", "Tag", ...(flags.digests ? ["Digest"] : []), "ID", "CreatedSince", "Size"];
    const list = {
      type: "*formatter.imageContext",
      headings,
      columns,
      raw: rawFormat(flags.digests),
      ...(flags.digests ? { extra: "Digest" } : {}),
    };
    await printList(list, rows, flags.format, flags.quiet);
  },
});

const rawFormat = (digests: boolean): string =>
  [
    "repository: {{.Repository}}",
    "tag: {{.Tag}}",
    ...(digests ? ["digest: {{.Digest}}"] : []),
    "image_id: {{.ID}}",
    "created_at: {{.CreatedAt}}",
    "virtual_size: {{.Size}}\n",
  ].join("\n");

interface Names {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** One line for each tag; with digests, one for each tag and digest of a repository. */
const namesOf = ({ RepoTags, RepoDigests }: ImageSummary, withDigests: boolean): Names[] => {
  const tags = (RepoTags ?? [])
    .filter((name) => name !== `${NONE}:${NONE}`)
    .map((name) => split(name, name.lastIndexOf(":")));
  const digests = (RepoDigests ?? [])
    .filter((name) => name !== `${NONE}@${NONE}`)
    .map((name) => split(name, name.indexOf("@")));
  const tagged = tags.flatMap(([repository, tag]) => {
    const own = withDigests ? digests.filter(([other]) => other === repository) : [];
    return own.length === 0
      ? [{ repository, tag, digest: NONE }]
      : own.map(([, digest]) => ({ repository, tag, digest }));
  });
  const untagged = digests
    .filter(([repository]) => !tags.some(([other]) => other === repository))
    .map(([repository, digest]) => ({ repository, tag: NONE, digest }));
  const lines = [...tagged, ...(withDigests ? untagged : untagged.slice(0, 1))];
  return lines.length === 0 ? [{ repository: NONE, tag: NONE, digest: NONE }] : lines;
};

const split = (name: string, at: number): readonly [repository: string, rest: string] => [
  name.slice(0, at),
  name.slice(at + 1),
];

const rowOf = (image: ImageSummary, { repository, tag, digest }: Names, whole: boolean): Row => ({
  ID: () => (whole ? image.Id : shortId(image.Id)),
  Repository: () => repository,
  Tag: () => tag,
  Digest: () => digest,
  CreatedSince: () => formatAgo(image.Created),
  CreatedAt: () => formatMoment(image.Created),
  Size: () => formatSize(image.Size),
  VirtualSize: () => formatSize(image.Size, 4),
  Containers: () => (image.Containers < 0 ? "N/A" : String(image.Containers)),
  SharedSize: () => (image.SharedSize < 0 ? "N/A" : formatSize(image.SharedSize)),
  UniqueSize: () => (image.SharedSize < 0 ? "N/A" : formatSize(image.Size - image.SharedSize)),
});
