/** Columns under headings, as Go's tabwriter lays them out for Docker: at least 10 wide, 3 spaces between. */
import { harmless } from "../streams/output.ts";
import { outputIsTerminal } from "../streams/terminal.ts";

const GAP = 3;

/** Rows of cells, the last of which have no width. */
export const formatTable = (rows: readonly (readonly string[])[], least = 10): string =>
  alignColumns(rows.map((cells) => `${cells.join("\t")}\n`).join(""), least);

/** Lines of cells that end with tabs. A column reaches over lines that follow each other and have a cell in it. */
export const alignColumns = (text: string, least = 10): string => {
  const shown = outputIsTerminal() ? harmless(text) : text;
  const lines = shown.split("\n").map((line) => line.split(/[\t\v]/));
  const widths = lines.map((): number[] => []);
  align(lines, widths, 0, lines.length, 0, least);
  return lines.map((cells, line) => cells.map((cell, at) => pad(cell, widths[line]![at])).join("")).join("\n");
};

/** Finds the widths of the columns from `column` on in the lines from `start` to `end`. */
const align = (
  lines: readonly (readonly string[])[],
  widths: readonly number[][],
  start: number,
  end: number,
  column: number,
  least: number,
): void => {
  for (let first = start; first < end; first++) {
    if (column >= lines[first]!.length - 1) continue;
    let last = first;
    let width = least;
    while (last < end && column < lines[last]!.length - 1)
      width = Math.max(width, length(lines[last++]![column]!) + GAP);
    for (let line = first; line < last; line++) widths[line]![column] = width;
    align(lines, widths, first, last, column + 1, least);
    first = last - 1;
  }
};

const pad = (cell: string, width: number | undefined): string =>
  width === undefined ? cell : cell + " ".repeat(width - length(cell));

const length = (text: string): number => (/^[\x20-\x7e]*$/.test(text) ? text.length : [...text].length);

/** The text, or so many characters of it and an ellipsis. */
export const ellipsis = (text: string, most: number): string => {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
};

/** The first twelve digits of an id. */
export const shortId = (id: string): string => id.slice(id.indexOf(":") + 1).slice(0, 12);
