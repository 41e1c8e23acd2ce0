/** One line of comma-separated fields, as `--mount` and `--gpus` take it, with the wording of Go's encoding/csv. */
import { cliError } from "../errors.ts";

/** The fields; one that holds a comma stands between double quotes, and a double quote in it is written twice. */
export const parseCsv = (line: string): string[] => {
  if (line === "") throw cliError("csvEmpty", {});
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const [field, end] = line[at] === '"' ? quotedField(line, at) : bareField(line, at);
    fields.push(field);
    if (end >= line.length) return fields;
    at = end + 1;
  }
};

const column = (line: string, at: number): number => Buffer.byteLength(line.slice(0, at)) + 1;

const bareField = (line: string, start: number): readonly [field: string, end: number] => {
  const comma = line.indexOf(",", start);
  const end = comma < 0 ? line.length : comma;
  const field = line.slice(start, end);
  const stray = field.indexOf('"');
  if (stray >= 0) throw cliError("csvBareQuote", { column: column(line, start + stray) });
  return [field, end];
};

const quotedField = (line: string, start: number): readonly [field: string, end: number] => {
  let field = "";
  let at = start + 1;
  for (;;) {
    const close = line.indexOf('"', at);
    if (close < 0) throw cliError("csvQuote", { column: column(line, line.length) });
    field += line.slice(at, close);
    const next = line[close + 1];
    if (next !== '"') {
      if (next !== undefined && next !== ",") throw cliError("csvQuote", { column: column(line, close) });
      return [field, close + 1];
    }
    field += '"';
    at = close + 2;
  }
};
