/** The document that describes the API, and whether an answer is what it says. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import { parse } from "yaml";

const path = fileURLToPath(new URL("../../shared/docker-api/v1.51.yaml", import.meta.url));

/** Why answers cannot be checked here, or false. */
export const cannotCheck = (): string | false => !existsSync(path) && `${path} is missing`;

interface Schema {
  readonly type?: string;
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly "x-nullable"?: boolean;
  readonly [more: string]: unknown;
}

interface Operation {
  readonly responses: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Document {
  readonly definitions: Readonly<Record<string, Schema>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

type Definitions = Document["definitions"];

/** Where engines answer otherwise than the document says, by definition. */
const exceptions: Readonly<
  Record<string, { readonly more?: readonly string[]; readonly nullable?: readonly string[] }>
> = {
  // What to type next: an answer of ours that other clients do not look at.
  ErrorResponse: { more: ["hint"] },
  // Their old names, which Docker takes away in 1.52.
  EventMessage: { more: ["status", "id", "from"] },
  // Pointers in Go: not asked, or not known yet, is null.
  ExecInspectResponse: { nullable: ["ExitCode"] },
  Resources: { nullable: ["MemorySwappiness", "OomKillDisable"] },
};

/** Keywords that say what a value is; all others are for people. */
const kept = ["type", "required", "minimum", "maximum", "pattern"] as const;

/** One object of its parts, so that a field that none of them knows is found. */
const whole = (schema: Schema, definitions: Definitions): Schema => {
  if (schema.allOf === undefined) return schema;
  const parts = schema.allOf.map((part) => {
    const name = part.$ref?.replace("#/definitions/", "");
    return whole(name === undefined ? part : named(name, definitions), definitions);
  });
  // A name with a description of its own.
  if (parts.length === 1) return parts[0]!;
  const properties = Object.assign({}, ...parts.map((part) => part.properties ?? {})) as Record<string, Schema>;
  return { type: "object", properties };
};

/** A definition with what engines do otherwise. */
const named = (name: string, definitions: Definitions): Schema => adjusted(name, definitions[name]!);

const adjusted = (name: string, schema: Schema): Schema => {
  const { more = [], nullable = [] } = exceptions[name] ?? {};
  if (schema.properties === undefined) return schema;
  const properties: Record<string, Schema> = { ...schema.properties };
  for (const field of more) properties[field] = {};
  for (const field of nullable) properties[field] = { ...properties[field], "x-nullable": true };
  return { ...schema, properties };
};

const convert = (asIs: Schema, definitions: Definitions): object => {
  const schema = adjusted(String(asIs.title), whole(asIs, definitions));
  if (schema.$ref !== undefined) {
    const target = { $ref: schema.$ref.replace("#/definitions/", "reference#/definitions/") };
    return schema["x-nullable"] === true ? { anyOf: [target, { type: "null" }] } : target;
  }
  const own: Record<string, unknown> = Object.fromEntries(
    kept.filter((key) => schema[key] !== undefined).map((key) => [key, schema[key]]),
  );
  // Go writes null for a list or a map that was never made.
  const isNullable = schema["x-nullable"] === true || schema.type === "array" || schema.type === "object";
  if (isNullable && typeof schema.type === "string") own.type = [schema.type, "null"];
  if (schema.enum !== undefined) own.enum = isNullable ? [...schema.enum, null] : schema.enum;
  if (schema.items !== undefined) own.items = convert(schema.items, definitions);
  if (schema.properties !== undefined) {
    own.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([key, value]) => [key, convert(value, definitions)]),
    );
    own.additionalProperties = false;
  }
  if (typeof schema.additionalProperties === "object") {
    own.additionalProperties = convert(schema.additionalProperties, definitions);
  }
  return own;
};

class Reference {
  readonly #document = parse(readFileSync(path, "utf8")) as Document;
  readonly #ajv = new Ajv({ strict: false, allErrors: true, allowUnionTypes: true, validateFormats: false });
  readonly #compiled = new Map<string, ValidateFunction | undefined>();
  readonly #paths: readonly { readonly template: string; readonly pattern: RegExp }[];

  constructor() {
    const known = this.#document.definitions;
    const definitions = Object.fromEntries(
      Object.keys(known).map((name) => [name, convert(named(name, known), known)]),
    );
    this.#ajv.addSchema({ $id: "reference", definitions });
    this.#paths = Object.keys(this.#document.paths)
      .map((template) => ({
        template,
        pattern: new RegExp(`^${template.replace(/\{(\w+)\}/g, (_, name) => (name === "name" ? ".+" : "[^/]+"))}$`),
      }))
      // What is spelt out is found before what stands for anything.
      .sort((a, b) => Number(a.template.includes("{")) - Number(b.template.includes("{")));
  }

  /** Throws what is wrong with an answer; unknown paths are nobody's business. */
  check(method: string, target: string, status: number, body: string): void {
    const asked = target.split("?")[0]!.replace(/^\/v[\d.]+(?=\/)/, "");
    const found = this.#paths.find(
      ({ template, pattern }) =>
        pattern.test(asked) && this.#document.paths[template]![method.toLowerCase()] !== undefined,
    );
    if (found === undefined || body.trim() === "") return;
    const what = `${method} ${found.template} ${status}`;
    const validate = this.#validator(what, found.template, method.toLowerCase(), status);
    if (validate === undefined) return;
    for (const value of valuesOf(body)) {
      if (validate(value)) continue;
      const problems = (validate.errors ?? []).map(({ instancePath, message, params }) => {
        const extra = "additionalProperty" in params ? ` (${params.additionalProperty as string})` : "";
        return `${instancePath || "/"}: ${message}${extra}`;
      });
      assert.fail(
        `${what} is not what the reference says:\n${[...new Set(problems)].join("\n")}\n${body.slice(0, 2000)}`,
      );
    }
  }

  #validator(what: string, template: string, method: string, status: number): ValidateFunction | undefined {
    if (this.#compiled.has(what)) return this.#compiled.get(what);
    const { responses } = this.#document.paths[template]![method]!;
    // Errors have one form, also those that the document does not list.
    const error: Schema = { $ref: "#/definitions/ErrorResponse" };
    const schema = status >= 400 ? error : responses[String(status)]?.schema;
    const made =
      schema?.type === "string" || schema === undefined
        ? undefined
        : this.#ajv.compile(convert(schema, this.#document.definitions));
    this.#compiled.set(what, made);
    return made;
  }
}

/** One JSON text, or one on each line. */
const valuesOf = (body: string): readonly unknown[] => {
  try {
    return [JSON.parse(body)];
  } catch {
    return body
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => JSON.parse(line) as unknown);
  }
};

let reference: Reference | undefined;

/** Throws unless a JSON answer of the newest version is what the reference says; where there is none, nothing is checked. */
export const checkAnswer = (method: string, target: string, status: number, body: string): void => {
  if (cannotCheck() !== false) return;
  reference ??= new Reference();
  reference.check(method, target, status, body);
};
