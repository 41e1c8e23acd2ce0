/**
 * Errors are tables: every room lists its own in `errors.ts`, and `docs/errors.md` is generated from them.
 * A sentence may name values in braces: `No such image: {name}`.
 */
export interface ErrorEntry {
  /** The HTTP status with which the API answers. */
  readonly status: number;
  /** What happened; lower case and no full stop, except where Docker's own wording is relied on. */
  readonly sentence: string;
  /** Something to type next. */
  readonly hint?: string;
}

export type ErrorTable = Readonly<Record<string, ErrorEntry>>;

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;
type Values<E extends ErrorEntry> = Record<
  Placeholders<E["sentence"]> | Placeholders<E["hint"] & string>,
  string | number
>;

/** An error whose sentence may be shown to a person and whose status may be sent to a client. */
export class PierError extends Error {
  readonly code: string;
  readonly status: number;
  readonly hint: string | undefined;

  constructor(code: string, status: number, message: string, hint?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "PierError";
    this.code = code;
    this.status = status;
    this.hint = hint;
  }
}

const fill = (template: string, values: Readonly<Record<string, string | number>>): string =>
  template.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) ? String(values[name]) : whole));

export type ErrorMaker<T extends ErrorTable> = <C extends keyof T & string>(
  code: C,
  values: Values<T[C]>,
  cause?: unknown,
) => PierError;

/** Makes the function that builds a room's errors: `throw imageError("noSuchImage", { name })`. */
export const errorsFrom =
  <const T extends ErrorTable>(table: T): ErrorMaker<T> =>
  (code, values, cause) => {
    const entry: ErrorEntry = table[code]!;
    const hint = entry.hint === undefined ? undefined : fill(entry.hint, values);
    return new PierError(code, entry.status, fill(entry.sentence, values), hint, cause);
  };

/** The error codes of Node's file functions (`ENOENT`, …), or undefined for any other error. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code)
    ? error.code
    : undefined;
