/** `--format`: a template, parsed once and filled with one value after the other, as Go's text/template fills it. */
import { isTrue } from "./compare.ts";
import { CallError, TemplateError } from "./errors.ts";
import { functions, type Parameter, type TemplateFunction } from "./functions.ts";
import { parseTemplate } from "./parse.ts";
import { printed } from "./print.ts";
import type { Command, OperandNode, Pipe, Statement, Tree } from "./tree.ts";
import { Dictionary, type Field, indirect, Methods, Pointer, Slice, Struct, typeName, type Value } from "./values.ts";

export interface FillOptions {
  readonly functions?: Readonly<Record<string, TemplateFunction>>;
  /** A map's key that is missing is an error, and not `<no value>`. */
  readonly strict?: boolean;
}

export class Template {
  readonly #tree: Tree;

  /** Throws TemplateError for a text that is no template. */
  constructor(text: string, name = "") {
    this.#tree = parseTemplate(text, name);
  }

  /** The text that the template becomes with this value; throws TemplateError where it asks for what is not there. */
  fill(data: Value, options: FillOptions = {}): string {
    const run = new Run(this.#tree, data, options);
    run.statements(this.#tree.body, data);
    return run.written;
  }
}

type Flow = "on" | "break" | "continue";
type Place = Pick<OperandNode, "at" | "shown">;

class Run {
  written = "";
  readonly #tree: Tree;
  readonly #functions: Readonly<Record<string, TemplateFunction>>;
  readonly #strict: boolean;
  readonly #variables: { readonly name: string; value: Value }[];

  constructor(tree: Tree, data: Value, options: FillOptions) {
    this.#tree = tree;
    this.#functions = options.functions ?? functions;
    this.#strict = options.strict ?? false;
    this.#variables = [{ name: "$", value: data }];
  }

  statements(statements: readonly Statement[], dot: Value): Flow {
    for (const statement of statements) {
      const flow = this.#statement(statement, dot);
      if (flow !== "on") return flow;
    }
    return "on";
  }

  #statement(statement: Statement, dot: Value): Flow {
    switch (statement.kind) {
      case "text":
        this.written += statement.text;
        return "on";
      case "break":
      case "continue":
        return statement.kind;
      case "action": {
        const value = this.#pipe(statement.pipe, dot);
        if (statement.pipe.variables.length === 0) this.written += printed(value);
        return "on";
      }
      default:
        return this.#scoped(() => this.#block(statement, dot));
    }
  }

  /** What is declared inside is forgotten. */
  #scoped<T>(run: () => T): T {
    const known = this.#variables.length;
    try {
      return run();
    } finally {
      this.#variables.length = known;
    }
  }

  #block(statement: Extract<Statement, { kind: "if" | "with" | "range" }>, dot: Value): Flow {
    const { kind, pipe, body, otherwise = [] } = statement;
    const value = kind === "range" ? this.#commands(pipe, dot) : this.#pipe(pipe, dot);
    if (kind === "range") return this.#range(statement, value, dot);
    if (!isTrue(value)) return this.statements(otherwise, dot);
    return this.statements(body, kind === "with" ? value : dot);
  }

  #range(
    { pipe, body, otherwise = [] }: Extract<Statement, { kind: "if" | "with" | "range" }>,
    value: Value,
    dot: Value,
  ): Flow {
    const items = itemsOf(indirect(value));
    if (items === undefined) throw this.#failure(pipe, `range can't iterate over ${printed(value)}`);
    let any = false;
    for (const [key, item] of items) {
      any = true;
      const flow = this.#scoped(() => {
        this.#setLoopVariables(pipe, key, item);
        return this.statements(body, item);
      });
      if (flow === "break") break;
    }
    return any ? "on" : this.statements(otherwise, dot);
  }

  #setLoopVariables({ variables, assigns }: Pipe, key: Value, item: Value): void {
    const [first, second] = variables;
    if (first !== undefined) this.#set(first, second === undefined ? item : key, assigns);
    if (second !== undefined) this.#set(second, item, assigns);
  }

  #set(name: string, value: Value, assigns: boolean): void {
    const known = assigns ? this.#variables.findLast((variable) => variable.name === name) : undefined;
    if (known === undefined) this.#variables.push({ name, value });
    else known.value = value;
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    const value = this.#commands(pipe, dot);
    for (const name of pipe.variables) this.#set(name, value, pipe.assigns);
    return value;
  }

  #commands({ commands }: Pipe, dot: Value): Value {
    let value: Value;
    for (const [index, command] of commands.entries()) value = this.#command(command, dot, index === 0 ? [] : [value]);
    return value;
  }

  /** `piped` is what the command before it in the pipe resulted in: one more argument behind the others. */
  #command(command: Command, dot: Value, piped: readonly Value[]): Value {
    const [first, ...rest] = command.words as [OperandNode, ...OperandNode[]];
    switch (first.kind) {
      case "function":
        return this.#call(first.name, command, first, rest, dot, piped);
      case "field":
        return this.#fields(first, first.names, dot, { rest, piped, dot });
      case "chain":
        return this.#fields(first, first.names, this.#operand(first.operand, dot), { rest, piped, dot });
      case "variable":
        if (first.names.length > 0)
          return this.#fields(first, first.names, this.#variable(first.name), { rest, piped, dot });
        break;
      default:
        break;
    }
    if (rest.length + piped.length > 0)
      throw this.#failure(first, `can't give argument to non-function ${first.shown}`);
    if (first.kind === "nil") throw this.#failure(first, "nil is not a command");
    return this.#operand(first, dot);
  }

  #operand(node: OperandNode, dot: Value): Value {
    switch (node.kind) {
      case "dot":
        return dot;
      case "nil":
        return undefined;
      case "number":
        if (typeof node.value === "bigint" && BigInt.asIntN(64, node.value) !== node.value)
          throw this.#failure(node, `${node.shown} overflows int`);
        return node.value;
      case "boolean":
      case "string":
        return node.value;
      case "field":
        return this.#fields(node, node.names, dot);
      case "variable":
        return this.#fields(node, node.names, this.#variable(node.name));
      case "chain":
        return this.#fields(node, node.names, this.#operand(node.operand, dot));
      case "pipe":
        return this.#scoped(() => this.#pipe(node.pipe, dot));
      case "function":
        return this.#call(node.name, node, node, [], dot, []);
    }
  }

  #variable(name: string): Value {
    return this.#variables.findLast((variable) => variable.name === name)?.value;
  }

  #call(
    name: string,
    command: Place,
    word: Place,
    rest: readonly OperandNode[],
    dot: Value,
    piped: readonly Value[],
  ): Value {
    if (name === "and" || name === "or") return this.#choose(name, word, rest, dot, piped);
    const { parameters, variadic, call } = this.#functions[name]!;
    const given = rest.length + piped.length;
    const least = variadic ? parameters.length - 1 : parameters.length;
    if (given < least || (given > least && !variadic)) {
      const wanted = variadic ? `at least ${least}` : String(least);
      throw this.#failure(word, `wrong number of args for ${name}: want ${wanted} got ${given}`);
    }
    const parameterAt = (index: number): Parameter => parameters[Math.min(index, parameters.length - 1)]!;
    const values = rest.map((node, index) => this.#checked(this.#operand(node, dot), parameterAt(index), node));
    for (const value of piped) values.push(this.#checked(value, parameterAt(rest.length), command));
    try {
      return call(...(values as never[]));
    } catch (cause) {
      if (!(cause instanceof CallError)) throw cause;
      throw this.#failure(command, `error calling ${name}: ${cause.message}`);
    }
  }

  /** `and` and `or` look no further than they must. */
  #choose(name: "and" | "or", word: Place, rest: readonly OperandNode[], dot: Value, piped: readonly Value[]): Value {
    if (rest.length + piped.length === 0)
      throw this.#failure(word, `wrong number of args for ${name}: want at least 1 got 0`);
    let value: Value;
    for (const node of rest) {
      value = this.#operand(node, dot);
      if (isTrue(value) === (name === "or")) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }

  #checked(value: Value, parameter: Parameter, place: Place): Value {
    if (parameter === "any") return value;
    const target = value instanceof Pointer ? indirect(value) : value;
    const fits =
      parameter === "string"
        ? typeof target === "string"
        : parameter === "int"
          ? typeof target === "bigint"
          : isTexts(target);
    if (fits) return target;
    if (isConstant(place))
      throw this.#failure(place, `expected ${parameter === "int" ? "integer" : parameter}; found ${place.shown}`);
    if (value === undefined) throw this.#failure(place, `invalid value; expected ${parameter}`);
    throw this.#failure(place, `wrong type for value; expected ${parameter}; got ${typeName(value)}`);
  }

  #fields(node: Place, names: readonly string[], start: Value, last?: Arguments): Value {
    let value = start;
    for (const [index, name] of names.entries()) {
      value = this.#field(node, name, value, index > 0, index === names.length - 1 ? last : undefined);
    }
    return value;
  }

  #field(node: Place, name: string, value: Value, inner: boolean, given: Arguments | undefined): Value {
    const count = (given?.rest.length ?? 0) + (given?.piped.length ?? 0);
    const target = indirect(value);
    const methods = target instanceof Dictionary ? target.methods : target;
    if (methods instanceof Methods) {
      const found = this.#method(node, name, methods, given, count);
      if (found !== undefined) return found.value;
    }
    if (target instanceof Struct) {
      const found = findField(target, name);
      if (found !== undefined) {
        if (count > 0) throw this.#failure(node, `${name} has arguments but cannot be invoked as function`);
        return found.value;
      }
    } else if (target instanceof Dictionary) {
      if (count > 0) throw this.#failure(node, `${name} is not a method but has arguments`);
      if (target.entries?.has(name)) return target.entries.get(name);
      if (this.#strict) throw this.#failure(node, `map has no entry for key "${name}"`);
      return undefined;
    } else if (target === undefined) {
      if (this.#strict) throw this.#failure(node, `nil pointer evaluating interface {}.${name}`);
      return undefined;
    } else if (target instanceof Pointer && hasField(target.type.element?.fields?.(), name)) {
      throw this.#failure(node, `nil pointer evaluating ${target.type.name}.${name}`);
    }
    // What is in a map of anything is anything.
    const type = this.#strict && inner ? "interface {}" : typeName(value);
    throw this.#failure(node, `can't evaluate field ${name} in type ${type}`);
  }

  #method(
    node: Place,
    name: string,
    { methods }: Methods,
    given: Arguments | undefined,
    count: number,
  ): { readonly value: Value } | undefined {
    if (!Object.hasOwn(methods, name)) return undefined;
    const method = methods[name]!;
    if (count !== method.length)
      throw this.#failure(node, `wrong number of args for ${name}: want ${method.length} got ${count}`);
    const values = [
      ...(given?.rest ?? []).map((word) => this.#checked(this.#operand(word, given!.dot), "string", word)),
      ...(given?.piped ?? []),
    ];
    // Nothing is a nil pointer here, which is printed, unlike a value that is not there.
    return { value: method(...(values as string[])) ?? nothing };
  }

  /** With the place, as Go tells it: the column is counted in bytes, from 0 in the first line and from 1 in others. */
  #failure({ at, shown }: Place, message: string): TemplateError {
    const { name, text } = this.#tree;
    const before = text.slice(0, at);
    const newline = before.lastIndexOf("\n");
    const column = Buffer.byteLength(before.slice(newline + 1)) + (newline < 0 ? 0 : 1);
    const line = before.split("\n").length;
    return new TemplateError(
      `template: ${name}:${line}:${column}: executing "${name}" at <${shown}>: ${message}`,
      this.written,
    );
  }
}

interface Arguments {
  readonly rest: readonly OperandNode[];
  readonly piped: readonly Value[];
  readonly dot: Value;
}

const nothing = new Pointer({ kind: "pointer", name: "*struct {}" }, undefined);

const isConstant = (place: Place): boolean =>
  "kind" in place && ["boolean", "number", "string"].includes(place.kind as string);

const isTexts = (value: Value): boolean => value instanceof Slice && value.type.element?.kind === "string";

const hasField = (fields: readonly Field[] | undefined, name: string): boolean =>
  fields?.some((field) => field.name === name || (field.embedded && hasField(structOf(field), name))) ?? false;

const structOf = ({ type }: Field): readonly Field[] | undefined =>
  (type.kind === "pointer" ? type.element : type)?.fields?.();

/** A field of a struct, or of one that it embeds. */
const findField = ({ type, values }: Struct, name: string): { readonly value: Value } | undefined => {
  const fields = type.fields!();
  const index = fields.findIndex((field) => field.name === name);
  if (index >= 0) return { value: values[index] };
  for (const [at, field] of fields.entries()) {
    const inner = field.embedded ? indirect(values[at]) : undefined;
    const found = inner instanceof Struct ? findField(inner, name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
};

/** What a range goes over: keys and values; undefined for what has none. */
const itemsOf = (value: Value): Iterable<readonly [key: Value, item: Value]> | undefined => {
  if (value === undefined) return [];
  if (value instanceof Slice) return (value.items ?? []).map((item, at) => [BigInt(at), item] as const);
  if (value instanceof Dictionary) return value.entries ?? [];
  if (typeof value === "bigint") return counted(value);
  return undefined;
};

function* counted(end: bigint): Generator<readonly [Value, Value]> {
  for (let at = 0n; at < end; at++) yield [at, at];
}
