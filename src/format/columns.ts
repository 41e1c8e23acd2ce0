/** Cells in columns, as Go's tabwriter lays them out: a column is as wide as its widest cell and the gap behind it. */

export interface ColumnOptions {
  readonly least: number;
  readonly gap: number;
}

/** Lines of cells that end with tabs. A column reaches over lines that follow each other and have a cell in it. */
export const alignColumns = (text: string, options: ColumnOptions): string => {
  const lines = text.split("\n").map((line) => line.split(/[\t\v]/));
  const widths = lines.map((): number[] => []);
  align({ lines, widths, ...options }, 0, lines.length, 0);
  return lines.map((cells, line) => cells.map((cell, at) => pad(cell, widths[line]![at])).join("")).join("\n");
};

interface Columns extends ColumnOptions {
  readonly lines: readonly (readonly string[])[];
  /** Of the cells of each line, as far as they are known. */
  readonly widths: readonly number[][];
}

/** Finds the widths of the columns from `column` on in the lines from `start` to `end`. */
const align = (columns: Columns, start: number, end: number, column: number): void => {
  const { lines, widths, least, gap } = columns;
  for (let first = start; first < end; first++) {
    if (column >= lines[first]!.length - 1) continue;
    let last = first;
    let width = least;
    while (last < end && column < lines[last]!.length - 1)
      width = Math.max(width, length(lines[last++]![column]!) + gap);
    for (let line = first; line < last; line++) widths[line]![column] = width;
    align(columns, first, last, column + 1);
    first = last - 1;
  }
};

const pad = (cell: string, width: number | undefined): string =>
  width === undefined ? cell : cell + " ".repeat(width - length(cell));

const length = (text: string): number => (/^[\x20-\x7e]*$/.test(text) ? text.length : [...text].length);
