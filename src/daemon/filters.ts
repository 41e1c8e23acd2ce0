/** Docker's `filters` parameter: `{"name": ["web"]}`, or `{"name": {"web": true}}` as its own clients write it. */
import { list, map, object, type Shape, string } from "../api/shape.ts";
import { daemonError } from "./errors.ts";

const valuesShape: Shape<readonly string[]> = (value, path) => {
  if (Array.isArray(value)) return list(string)(value, path);
  object({})(value, path);
  const chosen = Object.entries(value ?? {}).filter(([, isSet]) => isSet === true);
  return chosen.map(([name]) => name);
};

export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  private constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  /** Throws Docker's `invalid filter` for broken JSON and for names that are not among `allowed`. */
  static parse(text: string, allowed: readonly string[]): Filters {
    const filters = Filters.read(text);
    const unknown = [...filters.#values.keys()].find((name) => !allowed.includes(name));
    if (unknown !== undefined) throw daemonError("invalidFilter", { name: unknown.slice(0, 100) });
    return filters;
  }

  /** As `parse`, whatever the names are. */
  static read(text: string): Filters {
    if (text === "") return new Filters(new Map());
    try {
      return new Filters(new Map(Object.entries(map(valuesShape)(JSON.parse(text) ?? undefined, "filters"))));
    } catch (cause) {
      throw daemonError("invalidFilters", {}, cause);
    }
  }

  has(name: string): boolean {
    return this.get(name).length > 0;
  }

  get(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** Whether no value is asked for, or one of them passes. */
  some(name: string, passes: (value: string) => boolean): boolean {
    const values = this.get(name);
    return values.length === 0 || values.some(passes);
  }

  /** Whether every asked label is there: `key`, or `key=value`. */
  labels(labels: Readonly<Record<string, string>>, name = "label"): boolean {
    return this.get(name).every((asked) => {
      const equals = asked.indexOf("=");
      const key = equals < 0 ? asked : asked.slice(0, equals);
      if (!Object.hasOwn(labels, key)) return false;
      return equals < 0 || labels[key] === asked.slice(equals + 1);
    });
  }

  /** Whether a prune may take what has these labels: every asked one is there, and not every one that must not be. */
  prunes(labels: Readonly<Record<string, string>>): boolean {
    return this.labels(labels) && (!this.has("label!") || !this.labels(labels, "label!"));
  }

  /** The tests for names: equal, or matched by the value as a pattern, as in Docker. */
  patterns(name: string): (text: string) => boolean {
    const tests = this.get(name).map((value) => parsePattern(name, value));
    return (text) => tests.length === 0 || tests.some((test) => test(text));
  }
}

/**
 * Go's patterns run in linear time, JavaScript's do not: `(a+)+$` would stop the daemon for everybody. So nothing that
 * can blow up is let in; what is no pattern in Go either matches only itself.
 */
const parsePattern = (name: string, value: string): ((text: string) => boolean) => {
  const repeats = value.match(/[*+]|\{\d*,?\d*\}/g)?.length ?? 0;
  if (value.length > 500 || repeats > 2 || /\)[*+?{]/.test(value) || /\(\?|\\[1-9k]/.test(value)) {
    throw daemonError("costlyPattern", { name, value: value.slice(0, 100) });
  }
  let pattern: RegExp | undefined;
  try {
    pattern = new RegExp(value, "u");
  } catch {
    // Docker ignores what it cannot compile too.
  }
  return (text) => text === value || (pattern?.test(text) ?? false);
};
