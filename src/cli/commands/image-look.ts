/** `pier image files`, `pier image diff`, `pier image tree`: what is in images, without running anything. */
import { jsonLines } from "../../api/client.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { formatTable, shortId } from "../output/table.ts";
import { formatMoment } from "../output/times.ts";
import { print } from "../streams/output.ts";
import { saveTo } from "../streams/save.ts";
import { formatSize } from "../values/bytes.ts";
import { boolean } from "../values/kinds.ts";

interface FileLine {
  readonly Path: string;
  readonly Type: string;
  readonly Mode: number;
  readonly Uid: number;
  readonly Gid: number;
  readonly Size: number;
  readonly Mtime: number;
  readonly Target: string;
}

const letters: Readonly<Record<string, string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  character: "c",
  block: "b",
  fifo: "p",
};

/** `drwxr-xr-x`, as ls writes it. */
const modeText = (type: string, mode: number): string => {
  const bits = [..."rwxrwxrwx"].map((letter, at) => ((mode >> (8 - at)) & 1 ? letter : "-"));
  for (const [bit, at] of [
    [0o4000, 2],
    [0o2000, 5],
    [0o1000, 8],
  ] as const) {
    if (!(mode & bit)) continue;
    const letter = bit === 0o1000 ? "t" : "s";
    bits[at] = bits[at] === "x" ? letter : letter.toUpperCase();
  }
  return `${letters[type] ?? "?"}${bits.join("")}`;
};

export const imageFiles = command({
  usage: "[OPTIONS] IMAGE [PATH]",
  flags: { content: flag(boolean(), "Write the content of the file to STDOUT", { short: "c" }) },
  least: 1,
  most: 2,
  run: async ({ values: flags, positional: [name = "", path = ""], client }) => {
    const { body } = await client.send("imageFiles", { name }, { query: { path, content: flags.content } });
    if (flags.content) {
      await saveTo("", body);
      return;
    }
    for await (const line of jsonLines<FileLine>(body)) {
      const { Path, Type, Mode, Uid, Gid, Size, Mtime, Target } = line;
      const owner = `${Uid}:${Gid}`.padEnd(11);
      const link = Type === "symlink" ? ` -> ${Target}` : "";
      print(
        `${modeText(Type, Mode)} ${owner} ${String(Size).padStart(10)} ${formatMoment(Mtime).slice(0, 19)} ${Path}${link}\n`,
      );
    }
  },
});

const signs: Readonly<Record<string, string>> = { added: "A", changed: "C", deleted: "D" };

export const imageDiff = command({
  usage: "IMAGE IMAGE",
  flags: {},
  least: 2,
  most: 2,
  run: async ({ positional: [first = "", second = ""], client }) => {
    const changes = await client.get("imageDiff", {}, { query: { first, second } });
    print(changes.map(({ Kind, Path }) => `${signs[Kind] ?? "?"} ${Path}\n`).join(""));
  },
});

export const imageTree = command({
  usage: "[IMAGE...]",
  flags: { "no-trunc": flag(boolean(), "Don't truncate output") },
  least: 0,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: flags, positional, client }) => {
    const all = positional.length > 0 ? positional : (await client.get("imageList", {})).map(({ Id }) => Id);
    for (const name of all) {
      const { Id, RepoTags, Size } = JSON.parse(await client.text("imageInspect", { name })) as {
        Id: string;
        RepoTags: readonly string[];
        Size: number;
      };
      const id = flags["no-trunc"] ? Id : shortId(Id);
      print(`${RepoTags.length > 0 ? RepoTags.join(", ") : "<none>"} (${id}, ${formatSize(Size)})\n`);
      const layers = await client.get("imageLayers", { name: Id });
      const rows = layers.map(({ DiffId, Size: size, SharedWith }, at) => [
        `${at === layers.length - 1 ? "└──" : "├──"} ${flags["no-trunc"] ? DiffId : shortId(DiffId)}`,
        formatSize(size),
        SharedWith.length === 0 ? "" : `also in ${SharedWith.join(", ")}`,
      ]);
      print(formatTable(rows));
    }
  },
});
