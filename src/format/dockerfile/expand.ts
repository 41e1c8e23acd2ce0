/**
 * Words with their variables replaced and their quotes gone: the rules of a POSIX shell, as far as Dockerfiles have them.
 * `${x:-y} ${x-y} ${x:+y} ${x+y} ${x:?y} ${x?y} ${x#p} ${x##p} ${x%p} ${x%%p} ${x/p/r} ${x//p/r}`
 */
import { formatError } from "../errors.ts";
import { replaceMatches, trimPrefix, trimSuffix } from "./glob.ts";

export type Variables = ReadonlyMap<string, string>;

export interface ExpandOptions {
  readonly backslash: string;
  /** Quotes and escapes stay: the content of a heredoc. */
  readonly raw?: boolean;
  /** Called with the name of each variable that has no value and no default. */
  readonly unset?: (name: string) => void;
  /** Called with the name of each variable that the word asks for. */
  readonly asked?: (name: string) => void;
}

/** Throws BuildKit's sentence for a word that means nothing. */
export const expandWord = (word: string, variables: Variables, options: ExpandOptions): string =>
  new Expander(word, variables, options).whole();

const maxDepth = 64;

class Expander {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #options: ExpandOptions;
  #at = 0;
  #depth = 0;

  constructor(text: string, variables: Variables, options: ExpandOptions) {
    this.#text = text;
    this.#variables = variables;
    this.#options = options;
  }

  whole(): string {
    return this.#until("", false) ?? "";
  }

  /** What stands before the stop, which is taken too; undefined where there is none. With no stop, everything. */
  #until(stop: string, keepsEscapes: boolean): string | undefined {
    const raw = this.#options.raw === true;
    let result = "";
    if (++this.#depth > maxDepth) throw this.#wrong("it is nested too deeply");
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === stop) {
        this.#at++;
        this.#depth--;
        return result;
      }
      if (character === "'" && !raw) result += this.#singleQuoted();
      else if (character === '"' && !raw) result += this.#doubleQuoted();
      else if (character === "$") result += this.#dollar();
      else if (character === this.#options.backslash) result += this.#escaped(keepsEscapes || raw);
      else {
        result += character;
        this.#at++;
      }
    }
    this.#depth--;
    return stop === "" ? result : undefined;
  }

  #escaped(keeps: boolean): string {
    const next = this.#text[this.#at + 1];
    this.#at += 2;
    if (next === undefined) return keeps ? this.#options.backslash : "";
    return keeps && !(this.#options.raw && (next === "$" || next === this.#options.backslash))
      ? this.#options.backslash + next
      : next;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw this.#wrong("unexpected end of statement while looking for matching single-quote");
    const quoted = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return quoted;
  }

  #doubleQuoted(): string {
    const { backslash } = this.#options;
    let result = "";
    this.#at++;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === '"') {
        this.#at++;
        return result;
      }
      if (character === "$") {
        result += this.#dollar();
        continue;
      }
      const next = this.#text[this.#at + 1];
      // Within quotes an escape is one only before what means something there.
      const isEscape = character === backslash && (next === '"' || next === "$" || next === backslash);
      result += isEscape ? next : character;
      this.#at += isEscape ? 2 : 1;
    }
    throw this.#wrong("unexpected end of statement while looking for matching double-quote");
  }

  #name(): string {
    const rest = this.#text.slice(this.#at);
    const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|\d+|[@*#?\-$!])/.exec(rest)?.[0] ?? "";
    this.#at += name.length;
    return name;
  }

  #dollar(): string {
    this.#at++;
    if (this.#text[this.#at] !== "{") {
      const name = this.#name();
      return name === "" ? "$" : this.#value(name);
    }
    this.#at++;
    const first = this.#text[this.#at];
    if (first === undefined) throw this.#wrong("syntax error: missing '}'");
    if (first === "{" || first === "}" || first === ":") throw this.#wrong("syntax error: bad substitution");
    return this.#substitution(this.#name());
  }

  #substitution(name: string): string {
    const operator = this.#text[this.#at++];
    switch (operator) {
      case undefined:
        throw this.#wrong("syntax error: missing '}'");
      case "}":
        return this.#value(name);
      case ":":
        return this.#alternative(name, this.#text[this.#at++], true);
      case "-":
      case "+":
      case "?":
        return this.#alternative(name, operator, false);
      case "#":
      case "%":
        return this.#trimmed(name, operator);
      case "/":
        return this.#replaced(name);
      default:
        throw this.#wrong(`unsupported modifier (${operator}) in substitution`);
    }
  }

  #alternative(name: string, operator: string | undefined, emptyIsUnset: boolean): string {
    if (operator !== "-" && operator !== "+" && operator !== "?") {
      throw this.#wrong(`unsupported modifier (:${operator ?? ""}) in substitution`);
    }
    const word = this.#operand("}", false);
    this.#options.asked?.(name);
    const value = this.#variables.get(name);
    const isSet = value !== undefined && !(emptyIsUnset && value === "");
    if (operator === "-") return isSet ? value : word;
    if (operator === "+") return isSet ? word : "";
    if (isSet) return value;
    throw this.#wrong(`${name}: ${word || `is not allowed to be ${value === undefined ? "unset" : "empty"}`}`);
  }

  #trimmed(name: string, operator: "#" | "%"): string {
    const isLongest = this.#text[this.#at] === operator;
    if (isLongest) this.#at++;
    const pattern = this.#operand("}", true);
    const value = this.#value(name);
    return operator === "#" ? trimPrefix(value, pattern, isLongest) : trimSuffix(value, pattern, isLongest);
  }

  #replaced(name: string): string {
    const isAll = this.#text[this.#at] === "/";
    if (isAll) this.#at++;
    const pattern = this.#operand("/", true);
    const replacement = this.#operand("}", false);
    return replaceMatches(this.#value(name), pattern, replacement, isAll);
  }

  #operand(stop: string, keepsEscapes: boolean): string {
    const word = this.#until(stop, keepsEscapes);
    if (word === undefined) throw this.#wrong(`syntax error: missing '${stop}'`);
    return word;
  }

  #value(name: string): string {
    this.#options.asked?.(name);
    const value = this.#variables.get(name);
    if (value === undefined) this.#options.unset?.(name);
    return value ?? "";
  }

  #wrong(problem: string): Error {
    return formatError("expansion", { word: JSON.stringify(this.#text.slice(0, 200)), problem });
  }
}
