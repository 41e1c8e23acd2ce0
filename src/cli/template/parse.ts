/** Parses templates: the language of Go's text/template, without `define`, `template` and `block`, and with its errors. */
import { quote } from "../values/quote.ts";
import { TemplateError } from "./errors.ts";
import { functionNames } from "./function-names.ts";
import { parseNumber, unquote } from "./literals.ts";
import { type Token, type TokenKind, tokensOf } from "./tokens.ts";
import type { Command, OperandNode, Pipe, Statement, Tree } from "./tree.ts";

/** The tree of a template; throws TemplateError with Go's sentence, place included. */
export const parseTemplate = (text: string, name = ""): Tree => ({ name, text, body: new Parser(text, name).parse() });

type ControlKind = "if" | "with" | "range";

class Parser {
  readonly #text: string;
  readonly #name: string;
  readonly #tokens: Iterator<Token, void>;
  readonly #ahead: Token[] = [];
  #last: Token = { kind: "text", text: "", at: 0 };
  #variables: string[] = ["$"];
  #loops = 0;
  /** Where the action begins that is being read, and undefined between actions. */
  #action: number | undefined;

  constructor(text: string, name: string) {
    this.#text = text;
    this.#name = name;
    this.#tokens = tokensOf(text);
  }

  parse(): Statement[] {
    const { body, end } = this.#list();
    if (end !== undefined) throw this.#error(`unexpected {{${end.text}}}`);
    return body;
  }

  /** Statements up to the end of the file, or to `{{end}}` or `{{else`. */
  #list(): { readonly body: Statement[]; readonly end?: Token } {
    const body: Statement[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === "end of file") return { body };
      if (token.kind === "text") body.push({ kind: "text", text: token.text });
      else if (token.kind !== "open") throw this.#unexpected(token, "input");
      else {
        this.#action = token.at;
        const statement = this.#statement();
        if ("end" in statement) return { body, end: statement.end };
        body.push(statement);
      }
    }
  }

  #statement(): Statement | { readonly end: Token } {
    const token = this.#nextVisible();
    if (token.kind !== "keyword") {
      this.#ahead.push(token);
      const pipe = this.#pipe("command", "close");
      return { kind: "action", pipe };
    }
    switch (token.text) {
      case "if":
      case "with":
      case "range":
        return this.#control(token.text);
      case "break":
      case "continue":
        this.#close(`{{${token.text}}}`);
        if (this.#loops === 0) throw this.#error(`{{${token.text}}} outside {{range}}`);
        return { kind: token.text };
      case "end":
        this.#close("end");
        return { end: token };
      case "else":
        return { end: token };
      default:
        throw this.#error(`pier's templates have no {{${token.text}}}`);
    }
  }

  #close(context: string): void {
    const token = this.#nextVisible();
    if (token.kind !== "close") throw this.#unexpected(token, context);
    this.#action = undefined;
  }

  #control(kind: ControlKind): Statement {
    const known = this.#variables.length;
    const pipe = this.#pipe(kind, "close");
    if (kind === "range") this.#loops++;
    const { body, end } = this.#list();
    if (kind === "range") this.#loops--;
    if (end === undefined) throw this.#error("unexpected EOF");
    const otherwise = end.text === "else" ? this.#otherwise(kind) : undefined;
    this.#variables.length = known;
    return { kind, pipe, body, otherwise };
  }

  #otherwise(kind: ControlKind): Statement[] {
    const token = this.#nextVisible();
    // `{{else if}}` and `{{else with}}` are one more of the kind inside, which share its `{{end}}`.
    if (token.kind === "keyword" && token.text === kind && kind !== "range") return [this.#control(kind)];
    if (token.kind !== "close") throw this.#unexpected(token, "else");
    this.#action = undefined;
    const { body, end } = this.#list();
    if (end === undefined) throw this.#error("unexpected EOF");
    if (end.text === "else") throw this.#error(`expected end; found {{else}}`);
    return body;
  }

  #pipe(context: string, end: "close" | "right"): Pipe {
    const first = this.#peekVisible();
    const { variables, assigns } = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#nextVisible();
      if (token.kind === end) {
        if (commands.length === 0) throw this.#error(`missing value for ${context}`);
        if (end === "close") this.#action = undefined;
        this.#checkStages(commands);
        const shown = commands.map((command) => command.shown).join(" | ");
        const names = variables.length === 0 ? "" : `${variables.join(", ")} ${assigns ? "=" : ":="} `;
        return { variables, assigns, commands, at: first.at, shown: names + shown };
      }
      if (!startsOperand.has(token.kind)) throw this.#unexpected(token, context);
      this.#ahead.push(token);
      commands.push(this.#command());
    }
  }

  /** `$x :=`, `$x =`, and in `range` `$k, $v :=`. */
  #declaration(context: string): { readonly variables: string[]; readonly assigns: boolean } {
    const variables: string[] = [];
    const none = { variables: [], assigns: false };
    for (;;) {
      const token = this.#peekVisible();
      if (token.kind !== "variable") {
        if (variables.length > 0) throw this.#error("range can only initialize variables");
        return none;
      }
      this.#nextVisible();
      const space = this.#peek();
      const next = this.#peekVisible();
      if (next.kind === "declare" || next.kind === "assign") {
        this.#nextVisible();
        variables.push(token.text);
        if (next.kind === "declare") this.#variables.push(...variables);
        return { variables, assigns: next.kind === "assign" };
      }
      if (next.kind === "comma" && context === "range" && variables.length < 1) {
        this.#nextVisible();
        variables.push(token.text);
        continue;
      }
      if (next.kind === "comma") throw this.#error(`too many declarations in ${context}`);
      if (space.kind === "space") this.#ahead.push(space);
      this.#ahead.push(token);
      return none;
    }
  }

  #checkStages(commands: readonly Command[]): void {
    for (const [index, { words }] of commands.slice(1).entries()) {
      const constant = ["boolean", "dot", "nil", "number", "string"].includes(words[0]!.kind);
      if (constant) throw this.#error(`non executable command in pipeline stage ${index + 2}`);
    }
  }

  #command(): Command {
    const words: OperandNode[] = [];
    for (;;) {
      this.#peekVisible();
      const operand = this.#operand();
      if (operand !== undefined) words.push(operand);
      const token = this.#next();
      if (token.kind === "space") continue;
      if (token.kind === "close" || token.kind === "right") this.#ahead.push(token);
      else if (token.kind !== "pipe") throw this.#unexpected(token, "operand");
      break;
    }
    const [first] = words;
    if (first === undefined) throw this.#error("empty command");
    return { words, at: first.at, shown: words.map(({ shown }) => shown).join(" ") };
  }

  #operand(): OperandNode | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== "field") return term;
    const { at } = this.#peek();
    const names: string[] = [];
    while (this.#peek().kind === "field") names.push(this.#next().text.slice(1));
    const shown = `${term.shown}.${names.join(".")}`;
    if (term.kind === "field") return { kind: "field", names: [...term.names, ...names], at, shown };
    if (term.kind === "variable") return { ...term, names, at, shown };
    if (["boolean", "string", "number", "nil", "dot"].includes(term.kind)) {
      throw this.#error(`unexpected . after term ${quote(term.shown)}`);
    }
    return { kind: "chain", operand: term, names, at, shown };
  }

  #term(): OperandNode | undefined {
    const token = this.#nextVisible();
    const { at, text: shown } = token;
    switch (token.kind) {
      case "identifier":
        if (!functionNames.has(shown)) throw this.#error(`function ${quote(shown)} not defined`);
        return { kind: "function", name: shown, at, shown };
      case "dot":
      case "nil":
        return { kind: token.kind, at, shown };
      case "boolean":
        return { kind: "boolean", value: shown === "true", at, shown };
      case "field":
        return { kind: "field", names: [shown.slice(1)], at, shown };
      case "variable":
        if (!this.#variables.includes(shown)) throw this.#error(`undefined variable ${quote(shown)}`);
        return { kind: "variable", name: shown, names: [], at, shown };
      case "number":
        return this.#number(token);
      case "character":
      case "string":
      case "raw":
        return this.#literal(token);
      case "left": {
        const pipe = this.#pipe("parenthesized pipeline", "right");
        return { kind: "pipe", pipe, at, shown: `(${pipe.shown})` };
      }
      default:
        this.#ahead.push(token);
        return undefined;
    }
  }

  #number({ text: shown, at }: Token): OperandNode {
    const value = parseNumber(shown);
    if (value === undefined) throw this.#error(`illegal number syntax: ${quote(shown)}`);
    // Either of Go's widest integers holds it; without the limit a range could count for ever.
    if (typeof value === "bigint" && BigInt.asUintN(64, value) !== value && BigInt.asIntN(64, value) !== value)
      throw this.#error(`integer overflow: ${quote(shown)}`);
    return { kind: "number", value, at, shown };
  }

  #literal({ kind, text: shown, at }: Token): OperandNode {
    const value = unquote(shown);
    if (value === undefined)
      throw this.#error(kind === "string" ? "invalid syntax" : `malformed character constant: ${shown}`);
    if (kind === "character") return { kind: "number", value: BigInt(value.codePointAt(0)!), at, shown };
    return { kind: "string", value, at, shown };
  }

  #next(): Token {
    const ahead = this.#ahead.pop();
    const token = ahead ?? this.#tokens.next().value ?? { kind: "end of file", text: "", at: this.#text.length };
    this.#last = token;
    return token;
  }

  #nextVisible(): Token {
    let token = this.#next();
    while (token.kind === "space") token = this.#next();
    return token;
  }

  #peek(): Token {
    const token = this.#next();
    this.#ahead.push(token);
    return token;
  }

  #peekVisible(): Token {
    const token = this.#nextVisible();
    this.#ahead.push(token);
    return token;
  }

  #lineOf(at: number): number {
    return this.#text.slice(0, at).split("\n").length;
  }

  #error(message: string): TemplateError {
    return new TemplateError(`template: ${this.#name}:${this.#lineOf(this.#last.at)}: ${message}`);
  }

  #unexpected(token: Token, context: string): TemplateError {
    if (token.kind !== "error") return this.#error(`unexpected ${show(token)} in ${context}`);
    const begun = this.#action === undefined ? undefined : this.#lineOf(this.#action);
    if (begun === undefined || begun === this.#lineOf(token.at)) return this.#error(token.text);
    const started = `started at ${this.#name}:${begun}`;
    return this.#error(token.text + (token.text.endsWith(" action") ? ` ${started}` : ` in action ${started}`));
  }
}

const startsOperand: ReadonlySet<TokenKind> = new Set([
  "boolean",
  "character",
  "dot",
  "field",
  "identifier",
  "number",
  "nil",
  "raw",
  "string",
  "variable",
  "left",
]);

/** How Go names a token in an error. */
const show = ({ kind, text }: Token): string => {
  if (kind === "end of file") return "EOF";
  if (kind === "keyword" || kind === "nil" || kind === "dot") return `<${text}>`;
  return text.length > 10 ? `${quote(text.slice(0, 10))}...` : quote(text);
};
