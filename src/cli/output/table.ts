/** Columns under headings, as Go's tabwriter lays them out for Docker: at least 10 wide, 3 spaces between. */
import { outputIsTerminal } from "../streams/terminal.ts";

const GAP = 3;

/** Lines whose cells stand under each other; the last cell of a line has no width. */
export const formatTable = (rows: readonly (readonly string[])[], least = 10): string => {
  const shown = outputIsTerminal() ? rows.map((row) => row.map(harmless)) : rows;
  const widths: number[] = [];
  for (const row of shown) {
    row.slice(0, -1).forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? least, length(cell) + GAP);
    });
  }
  const lines = shown.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell + " ".repeat(widths[at]! - length(cell)))).join(""),
  );
  return lines.map((line) => `${line}\n`).join("");
};

const length = (text: string): number => (/^[\x20-\x7e]*$/.test(text) ? text.length : [...text].length);

/** Without the control characters by which a name could write elsewhere on a terminal. */
export const harmless = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f]/g, "");

/** The text, or so many characters of it and an ellipsis. */
export const ellipsis = (text: string, most: number): string => {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
};

/** The first twelve digits of an id. */
export const shortId = (id: string): string => id.slice(id.indexOf(":") + 1).slice(0, 12);
