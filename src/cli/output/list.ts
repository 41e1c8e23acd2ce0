/** Lists of things: the usual table, `--format json`, `--format TEMPLATE` and `--format "table TEMPLATE"`. */
import { print } from "../streams/output.ts";
import { formatTable } from "./table.ts";

/** One thing: what each field of its list says about it. */
export type Row = Readonly<Record<string, (...args: string[]) => string>>;

export interface List {
  /** What errors call a row. */
  readonly type: string;
  /** The heading of each field. */
  readonly headings: Readonly<Record<string, string>>;
  /** The fields of the usual table. */
  readonly columns: readonly string[];
}

const withEscapes = (template: string): string => template.replaceAll("\\t", "\t").replaceAll("\\n", "\n");

/** Prints the rows as `--format` asks; without it the usual table, or the ids alone. */
export const printList = async (list: List, rows: readonly Row[], format: string, quiet: boolean): Promise<void> => {
  const template = withEscapes(format.trim());
  if (template === "" || template === "table") {
    if (quiet) {
      print(rows.map((row) => `${row.ID!()}\n`).join(""));
      return;
    }
    const heading = list.columns.map((column) => list.headings[column]!);
    print(formatTable([heading, ...rows.map((row) => list.columns.map((column) => row[column]!()))]));
    return;
  }
  const { parseFormat, rowJson } = await import("./format.ts");
  if (template === "json") {
    print(rows.map((row) => `${rowJson(row, list.type)}\n`).join(""));
    return;
  }
  const table = /^table\s/.test(template);
  const read = parseFormat(table ? template.slice("table".length).trim() : template);
  const lines = rows.map((row) => read.fillRow(row, list.type));
  if (!table) print(lines.map((line) => `${line}\n`).join(""));
  else print(formatTable([read.fillHeadings(list.headings), ...lines].map((line) => line.split("\t"))));
};
