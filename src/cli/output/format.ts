/** `--format` where it is a template: read once, then filled with the daemon's answers or with the rows of a list. */
import { Failure } from "../failure.ts";
import { headingFunctions } from "../template/functions.ts";
import { anyFromJson, readJson, toJson } from "../template/json.ts";
import { Template } from "../template/template.ts";
import { Dictionary, Methods, stringType } from "../template/values.ts";
import type { Row } from "./list.ts";

/** Docker's words before what is wrong, which differ between its commands. */
export interface FormatWords {
  readonly unreadable: string;
  readonly unfillable: string;
  /** The exit code for a template that cannot be read. */
  readonly exitCode?: number;
}

const listWords: FormatWords = { unreadable: "failed to parse template", unfillable: "failed to execute template" };

export interface Format {
  /** With JSON as the daemon wrote it: fields that are not there are an error. */
  fillJson(text: string): string;
  fillRow(row: Row, type: string): string;
  fillHeadings(headings: Readonly<Record<string, string>>): string;
}

/** The template of `--format`; throws for one that is none. */
export const parseFormat = (text: string, words: FormatWords = listWords): Format => {
  const attempt = <T>(work: () => T, what: string, exitCode = 1): T => {
    try {
      return work();
    } catch (cause) {
      throw new Failure(`${what}: ${(cause as Error).message}`, exitCode, cause);
    }
  };
  const template = attempt(() => new Template(text), words.unreadable, words.exitCode);
  const fill = (...data: Parameters<Template["fill"]>) => attempt(() => template.fill(...data), words.unfillable);
  return {
    fillJson: (json) => fill(anyFromJson(readJson(json)), { strict: true }),
    fillRow: (row, type) => fill(new Methods(type, row)),
    fillHeadings: (headings) => {
      const type = { kind: "map", name: "map[string]string", key: stringType, element: stringType } as const;
      return fill(new Dictionary(type, Object.entries(headings)), { functions: headingFunctions });
    },
  };
};

/** A row as one line of JSON: all its fields, by name. */
export const rowJson = (row: Row, type: string): string => toJson(new Methods(type, row));
