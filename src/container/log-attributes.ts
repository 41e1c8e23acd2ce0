/** What every record of a container's log bears beside its text: labels, variables and a tag, as far as they were asked for. Pure. */
import { containerError } from "./errors.ts";
import type { ContainerRecord } from "./record.ts";

type Options = Readonly<Record<string, string>>;

const words = (text: string | undefined): readonly string[] => (text ?? "").split(",").filter((word) => word !== "");

/** `{{.Name}}` and its like: the fields that Docker's tags have. */
const tagFields: Readonly<Record<string, (record: ContainerRecord) => string>> = {
  ID: ({ id }) => id.slice(0, 12),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ image }) => image.id.replace(/^sha256:/, "").slice(0, 12),
  ImageFullID: ({ image }) => image.id,
  ImageName: ({ image }) => image.reference,
  DaemonName: () => "docker",
};

const field = /\{\{\s*\.(\w+)\s*\}\}/g;

/** Throws for a tag that is more than text and fields. */
export const checkTag = (tag: string): void => {
  const rest = tag.replace(field, (_whole, name: string) => (Object.hasOwn(tagFields, name) ? "" : "{{"));
  if (rest.includes("{{"))
    throw containerError("invalidLogOption", { problem: `invalid log tag: ${tag.slice(0, 100)}` });
};

/** Go's patterns run in linear time, JavaScript's do not: what could blow up is not let in. */
export const parseLogPattern = (name: string, text: string): RegExp => {
  const problem = `invalid value for ${name}: ${text.slice(0, 100)}`;
  const repeats = text.match(/[*+]|\{\d*,?\d*\}/g)?.length ?? 0;
  if (repeats > 2 || /\)[*+?{]/.test(text) || /\(\?|\\[1-9k]/.test(text))
    throw containerError("invalidLogOption", { problem });
  try {
    return new RegExp(text, "u");
  } catch (cause) {
    throw containerError("invalidLogOption", { problem }, cause);
  }
};

const chosen = (
  all: readonly (readonly [string, string])[],
  names: string | undefined,
  [option, pattern]: readonly [string, string | undefined],
) => {
  const wanted = new Set(words(names));
  const matches = pattern ? parseLogPattern(option, pattern) : undefined;
  return all.filter(([name]) => wanted.has(name) || matches?.test(name) === true);
};

const variables = (env: readonly string[]): readonly (readonly [string, string])[] =>
  env.flatMap((entry) => {
    const equals = entry.indexOf("=");
    return equals < 0 ? [] : [[entry.slice(0, equals), entry.slice(equals + 1)] as const];
  });

/** Docker's usual tag is the beginning of the id. */
export const logTag = (record: ContainerRecord, { tag }: Options): string =>
  (tag || "{{.ID}}").replace(field, (_whole, name: string) => tagFields[name]!(record));

/** The labels and variables that were asked for. */
export const attributePairs = (record: ContainerRecord, options: Options): readonly (readonly [string, string])[] => {
  const { labels, env } = record.request;
  return [
    ...chosen(Object.entries(labels), options.labels, ["labels-regex", options["labels-regex"]]),
    ...chosen(variables(env), options.env, ["env-regex", options["env-regex"]]),
  ];
};

/** As Docker's json-file writes them: sorted by name; undefined where there are none. */
export const logAttributes = (record: ContainerRecord, options: Options): string | undefined => {
  const tag = options.tag ? [["tag", logTag(record, options)] as const] : [];
  const found = [...attributePairs(record, options), ...tag];
  if (found.length === 0) return undefined;
  const sorted = [...new Map(found)].sort(([a], [b]) => (a < b ? -1 : 1));
  return encode(sorted);
};

/** As Go's encoder writes for the web: <, > and & escaped. */
const encode = (pairs: readonly (readonly [string, string])[]): string => {
  const text = pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",");
  const escaped = text.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `{${escaped}}`;
};
