/** The help texts: read from the tables of commands and flags, laid out as Docker lays them out. */
import type { Command } from "./command.ts";
import { type Entry, entries, type GroupName, groups } from "./commands.ts";
import type { FlagTable } from "./flags.ts";

/** Lines of a text so narrow; a line may pass the width a little where that spares an orphan. */
const wrap = (text: string, width: number): string[] => {
  const slop = 5;
  const lines: string[] = [];
  for (let rest = text; rest !== ""; ) {
    const line = rest.split("\n", 1)[0]!;
    const head = rest.slice(0, width - slop);
    const cut = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\n"));
    let end = rest.length <= width || cut <= 0 ? rest.length : cut;
    if (line.length < end) end = line.length;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end + 1);
  }
  return lines.length === 0 ? [""] : lines;
};

export const formatFlags = (table: FlagTable, width: number): string => {
  const rows = Object.keys(table)
    .sort()
    .map((name) => {
      const { kind, short, usage } = table[name]!;
      const title = short === undefined ? `      --${name}` : `  -${short}, --${name}`;
      const shown = kind.shown === undefined ? "" : ` (default ${kind.shown})`;
      return { title: kind.placeholder === "" ? title : `${title} ${kind.placeholder}`, usage: usage + shown };
    });
  const indent = Math.max(...rows.map(({ title }) => title.length)) + 3;
  const room = Math.max(width - 1 - indent, 24);
  return rows
    .map(({ title, usage }) => title.padEnd(indent) + wrap(usage, room).join(`\n${" ".repeat(indent)}`))
    .join("\n");
};

/** All the names under which a command answers. */
const namesOf = ({ top, group }: Entry): string[] => [
  ...(group === undefined ? [] : [group.command, ...(group.aliases ?? [])].map((name) => `pier ${group.name} ${name}`)),
  ...(top === undefined ? [] : [`pier ${top}`]),
];

export const usageLine = (path: string, command: Command): string => `Usage:  pier ${path} ${command.usage}`;

export const commandHelp = (path: string, entry: Entry, command: Command, width: number): string => {
  const names = namesOf(entry);
  const parts = [usageLine(path, command), entry.summary];
  if (names.length > 1) parts.push(`Aliases:\n  ${names.join(", ")}`);
  if (Object.keys(command.flags).length > 0) parts.push(`Options:\n${formatFlags(command.flags, width)}`);
  return `${parts.join("\n\n")}\n`;
};

const listOf = (rows: readonly (readonly [name: string, summary: string])[]): string =>
  rows.map(([name, summary]) => `  ${name.padEnd(11)} ${summary}`).join("\n");

export const groupHelp = (group: GroupName): string => {
  const rows = entries
    .flatMap((entry) => (entry.group?.name === group ? [[entry.group.command, entry.summary] as const] : []))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `Usage:  pier ${group} COMMAND`,
    groups[group].summary,
    `Commands:\n${listOf(rows)}`,
    `Run 'pier ${group} COMMAND --help' for more information on a command.\n`,
  ].join("\n\n");
};

/** What is no command of the client's. */
const besides = [
  ["check", "Say whether pier can run on this host, and what is missing"],
  ["daemon", "Run the daemon in the foreground"],
] as const;

export const topHelp = (options: FlagTable, width: number): string => {
  const rowsOf = (common: boolean) =>
    entries.flatMap(({ top, summary, common: is = false }) =>
      top !== undefined && is === common ? [[top, summary] as const] : [],
    );
  return [
    "Usage:  pier [OPTIONS] COMMAND",
    "A container engine for Linux that speaks Docker's language",
    `Common Commands:\n${listOf(rowsOf(true))}`,
    `Management Commands:\n${listOf(Object.entries(groups).map(([name, { summary }]) => [name, summary] as const))}`,
    `Commands:\n${listOf([...rowsOf(false), ...besides].sort(([a], [b]) => (a < b ? -1 : 1)))}`,
    `Global Options:\n${formatFlags(options, width)}`,
    "Run 'pier COMMAND --help' for more information on a command.\n",
  ].join("\n\n");
};
