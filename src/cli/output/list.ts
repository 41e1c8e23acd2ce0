/** Lists of things: the usual table, `--quiet`, and everything that `--format` asks for. */
import { print } from "../streams/output.ts";
import type { Value } from "../template/values.ts";
import { alignColumns, formatTable } from "./table.ts";

/** One thing: what each field of its list says about it; some ask for a word. */
export type Row = Readonly<Record<string, (...words: string[]) => Value>>;

export interface List {
  /** What errors call a row. */
  readonly type: string;
  /** The heading of each field. */
  readonly headings: Readonly<Record<string, string>>;
  /** The fields of the usual table. */
  readonly columns: readonly string[];
  /** The template of `--format raw`. */
  readonly raw?: string;
  /** A field that is shown in a table whatever its template says. */
  readonly extra?: string;
}

/** Prints the rows as `--format` asks; without it the usual table, or the ids alone. */
export const printList = async (list: List, rows: readonly Row[], format: string, quiet: boolean): Promise<void> => {
  if (format === "" || format === "table") print(quiet ? ids(rows) : usualTable(list, rows));
  else await printTemplate(list, rows, formatOf(list, format, quiet));
};

const ids = (rows: readonly Row[]): string => rows.map((row) => `${row.ID!() as string}\n`).join("");

const usualTable = ({ columns, headings }: List, rows: readonly Row[]): string =>
  formatTable([
    columns.map((column) => headings[column]!),
    ...rows.map((row) => columns.map((column) => row[column]!() as string)),
  ]);

const formatOf = ({ raw, extra }: List, format: string, quiet: boolean): string => {
  if (format === "raw" && raw !== undefined) return quiet ? raw.split("\n").find((line) => /\.ID\b/.test(line))! : raw;
  if (extra === undefined || !format.startsWith("table") || format.includes(`{{.${extra}}}`)) return format;
  return `${format}\t{{.${extra}}}`;
};

const printTemplate = async (list: List, rows: readonly Row[], format: string): Promise<void> => {
  const { fillHeadings, fillRow, readListFormat } = await import("./format.ts");
  const table = format.startsWith("table");
  const text = format === "json" ? "{{json .}}" : table ? format.slice("table".length) : format;
  const spaced = text
    .replace(/^ +| +$/g, "")
    .replaceAll("\\t", "\t")
    .replaceAll("\\n", "\n");
  const template = readListFormat(spaced);
  const lines = rows.map((row) => `${fillRow(template, list.type, row)}\n`).join("");
  if (!table) print(lines);
  else print(alignColumns(`${fillHeadings(template, list.headings)}\n${lines}`));
};
