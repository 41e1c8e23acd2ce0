/** The query of a request, read as Docker reads it. */
import { daemonError } from "./errors.ts";

export class Query {
  readonly #values: URLSearchParams;

  /** `unknown` are the parameters that are not read. */
  constructor(search: string, unknown: readonly string[] = []) {
    this.#values = new URLSearchParams(search);
    for (const name of unknown) this.#values.delete(name);
  }

  text(name: string): string {
    return this.#values.get(name) ?? "";
  }

  list(name: string): readonly string[] {
    return this.#values.getAll(name);
  }

  /** Everything is true but what plainly is not (moby, httputils.BoolValue). */
  flag(name: string, absent = false): boolean {
    const value = this.#values.get(name);
    if (value === null) return absent;
    return !["", "0", "no", "false", "none"].includes(value.trim().toLowerCase());
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === "") return undefined;
    const number = /^[+-]?\d{1,15}$/.test(value) ? Number(value) : undefined;
    if (number === undefined) throw daemonError("invalidNumber", { name, value });
    return number;
  }

  /** Seconds since 1970 with up to nine places, as nanoseconds. */
  time(name: string): bigint | undefined {
    const value = this.text(name);
    if (value === "") return undefined;
    const match = /^(-?\d{1,12})(?:\.(\d{1,9}))?$/.exec(value);
    if (match === null) throw daemonError("invalidTime", { name, value });
    return BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
  }
}
