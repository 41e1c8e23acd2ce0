/** `--format` where it is a template: read once, then filled with the daemon's answers or with the rows of a list. */
import { Failure } from "../failure.ts";
import { dockerType } from "../template/docker-types.ts";
import { TemplateError } from "../template/errors.ts";
import { headingFunctions } from "../template/functions.ts";
import { anyFromJson, fromJson, readJson } from "../template/json.ts";
import { Template } from "../template/template.ts";
import { Dictionary, Methods, stringType } from "../template/values.ts";
import type { Row } from "./list.ts";

/** Docker's words before what is wrong, which differ between its commands, and the exit code for it. */
export interface FormatWords {
  readonly before: string;
  readonly exitCode?: number;
}

/** Docker's exit code for a template that cannot be read, from the commands that have one of their own for it. */
const BAD_TEMPLATE = 64;
const usualWords: FormatWords = { before: "template parsing error: " };
const usualWordsAndCode: FormatWords = { ...usualWords, exitCode: BAD_TEMPLATE };

const attempt = <T>(work: () => T, { before, exitCode = 1 }: FormatWords): T => {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof TemplateError)) throw cause;
    throw new Failure(before + cause.message, exitCode, cause);
  }
};

/** The template of a list; throws for one that is none. */
export const readListFormat = (text: string, words = usualWords): Template => attempt(() => new Template(text), words);

export const fillRow = (template: Template, type: string, row: Row, words = usualWords): string =>
  attempt(() => template.fill(new Methods(type, row)), words);

const headingsType = { kind: "map", name: "map[string]string", key: stringType, element: stringType } as const;

/** The last part of a label's name, in words: `com.example.my-label` is `my label`. */
const labelHeading = (name: string): string => name.slice(name.lastIndexOf(".") + 1).replace(/[-_]/g, " ");

/** The line above the rows; a template that cannot be filled with headings has as much of it as can. */
export const fillHeadings = (template: Template, headings: Readonly<Record<string, string>>): string => {
  try {
    const data = new Dictionary(headingsType, Object.entries(headings), new Methods("", { Label: labelHeading }));
    return template.fill(data, { functions: headingFunctions });
  } catch (cause) {
    if (cause instanceof TemplateError) return cause.written;
    throw cause;
  }
};

/** Fills a template with answers as Go's type has them or, where it asks for what the type has not, as they came. */
export const readInspectFormat = (text: string): ((answer: string, type: string) => string) => {
  const template = attempt(() => new Template(text), usualWordsAndCode);
  return (answer, type) => {
    const json = readJson(answer);
    try {
      return template.fill(fromJson(dockerType(type), json));
    } catch (cause) {
      if (!(cause instanceof TemplateError)) throw cause;
      return attempt(() => template.fill(anyFromJson(json), { strict: true }), usualWords);
    }
  };
};

/** Fills a template with events; throws at once for one that asks for what no event has. */
export const readEventFormat = (text: string): ((event: string) => string) => {
  const words = { before: "Error parsing format: ", exitCode: BAD_TEMPLATE };
  const template = attempt(() => new Template(text), words);
  const type = dockerType("*events.Message");
  const fill = (event: string): string => attempt(() => template.fill(fromJson(type, readJson(event))), words);
  fill("{}");
  return fill;
};

export interface Filled {
  readonly text: string;
  /** Why the text ends where it ends. */
  readonly failure: string | undefined;
}

/** Fills a template with an answer as Go's type has it, as far as that goes; `name` is how errors call the template. */
export const readAnswerFormat = (text: string, typeName: string, name = ""): ((answer: string) => Filled) => {
  const template = attempt(() => new Template(text, name), usualWordsAndCode);
  return (answer) => {
    try {
      return { text: `${template.fill(fromJson(dockerType(typeName), readJson(answer)))}\n`, failure: undefined };
    } catch (cause) {
      if (!(cause instanceof TemplateError)) throw cause;
      return { text: `${cause.written}\n`, failure: cause.message };
    }
  };
};
