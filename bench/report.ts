/** Rows as a Markdown table, with the ratio to Docker and whether the target was met. */
import type { Client } from "./engines.ts";
import type { Row, Target } from "./measures.ts";
import { median, quantile } from "./statistics.ts";

const resultOf = (row: Row, client: Client): number | undefined => {
  const samples = row.samples.get(client);
  if (samples === undefined || samples.length === 0) return undefined;
  return row.statistic === "median" ? median(samples) : quantile(samples, 0.95);
};

const digits = (value: number): string => {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
};

const isRate = ({ unit }: Row): boolean => unit === "a second" || unit === "Gbit/s";

/** How many times better than Docker: 2 for half the time, and for twice as many a second. */
const timesBetter = (row: Row, docker: Client | undefined, client: Client): number | undefined => {
  const [theirs, ours] = [docker && resultOf(row, docker), resultOf(row, client)];
  if (theirs === undefined || ours === undefined || client === docker || ours <= 0) return undefined;
  return isRate(row) ? ours / theirs : theirs / ours;
};

const cell = (row: Row, docker: Client | undefined, client: Client): string => {
  const value = resultOf(row, client);
  if (value === undefined) return "";
  const times = timesBetter(row, docker, client);
  return times === undefined ? digits(value) : `${digits(value)} (${digits(times)} ×)`;
};

/** The targets of a row for one of pier's clients, as words; with a word on whether each was met. */
const verdict = (row: Row, docker: Client | undefined, client: Client, isOwn: boolean): string[] => {
  const { times, atMost, atLeast }: Target = (isOwn ? row.target?.own : row.target) ?? {};
  const value = resultOf(row, client);
  if (value === undefined) return [];
  const say = (met: boolean, words: string): string => `${words}: ${met ? "met" : "**missed**"}`;
  const better = timesBetter(row, docker, client);
  return [
    ...(atMost === undefined ? [] : [say(value <= atMost, `≤ ${atMost} ${row.unit}`)]),
    ...(atLeast === undefined ? [] : [say(value >= atLeast, `≥ ${atLeast} ${row.unit}`)]),
    ...(times === undefined || better === undefined ? [] : [say(better >= times, `≥ ${times} ×`)]),
  ];
};

const targets = (row: Row, docker: Client | undefined, clients: readonly Client[]): string => {
  const ours = clients.filter(({ engine }) => engine.name === "pier");
  return ours.flatMap((client, index) => verdict(row, docker, client, index > 0)).join(", ");
};

/** The table; numbers in parentheses say how many times better than Docker. */
export const table = (rows: readonly Row[], clients: readonly Client[]): string => {
  const docker = clients.find(({ engine }) => engine.name === "docker");
  const head = ["what", "unit", ...clients.map(({ label }) => label), "target"];
  const body = rows.map((row) => [
    row.statistic === "median" ? row.title : `${row.title} (${row.statistic})`,
    row.unit,
    ...clients.map((client) => cell(row, docker, client)),
    targets(row, docker, clients),
  ]);
  const lines = [head, head.map((_, index) => (index < 2 ? "---" : "---:")), ...body];
  const widths = head.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) => `| ${line.map((text, index) => text.padEnd(widths[index] ?? 0)).join(" | ")} |`)
    .join("\n");
};

export const page = (
  date: string,
  machine: readonly (readonly [string, string])[],
  engines: readonly { readonly name: string; readonly version: string }[],
  rows: string,
): string =>
  [
    `# ${date}`,
    "",
    ...machine.map(([what, value]) => `- ${what}: ${value}`),
    `- engines: ${engines.map(({ name, version }) => `${name} ${version}`).join(", ")}`,
    "",
    "Medians where nothing else is said; in parentheses how many times better than Docker in the same run.",
    "",
    rows,
    "",
  ].join("\n");
