/** Columns under headings, as Docker has them: at least 10 wide, 3 spaces between. */
import * as columns from "../../format/columns.ts";
import { harmless } from "../streams/output.ts";
import { outputIsTerminal } from "../streams/terminal.ts";

const gap = 3;

/** Rows of cells, the last of which have no width. */
export const formatTable = (rows: readonly (readonly string[])[], least = 10): string =>
  alignColumns(rows.map((cells) => `${cells.join("\t")}\n`).join(""), least);

/** Lines of cells that end with tabs. */
export const alignColumns = (text: string, least = 10): string =>
  columns.alignColumns(outputIsTerminal() ? harmless(text) : text, { least, gap });

/** The text, or so many characters of it and an ellipsis. */
export const ellipsis = (text: string, most: number): string => {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
};

/** The first twelve digits of an id. */
export const shortId = (id: string): string => id.slice(id.indexOf(":") + 1).slice(0, 12);
