/** The one SQLite file of a root: rows are documents in JSON, and a daemon holds its lock for as long as it lives. */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { errorsFrom } from "./errors.ts";

export const databaseErrors = {
  rootInUse: {
    status: 500,
    sentence: "another daemon is using {path}",
    hint: "stop it first, or choose another --root and another --run",
  },
} as const;
const databaseError = errorsFrom(databaseErrors);

export class Database implements Disposable {
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Holds afterwards: the file exists, is ours alone (SQLite's exclusive lock), and survives crashes (write-ahead log). */
  constructor(path: string) {
    this.#sqlite = new DatabaseSync(path);
    try {
      this.#sqlite.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;");
      this.#sqlite.exec("BEGIN IMMEDIATE; COMMIT;");
    } catch (cause) {
      this.#sqlite.close();
      throw databaseError("rootInUse", { path }, cause);
    }
  }

  /** Runs statements that answer nothing and take no values, such as the making of tables. */
  exec(sql: string): void {
    this.#sqlite.exec(sql);
  }

  run(sql: string, ...values: (string | number | bigint | null | Uint8Array)[]): { changes: number; lastId: number } {
    const { changes, lastInsertRowid } = this.#statement(sql).run(...values);
    return { changes: Number(changes), lastId: Number(lastInsertRowid) };
  }

  get<Row>(sql: string, ...values: (string | number | bigint | null)[]): Row | undefined {
    return (this.#statement(sql).get(...values) as Row | undefined) ?? undefined;
  }

  all<Row>(sql: string, ...values: (string | number | bigint | null)[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** All of `change`'s statements hold, or none; durable at its end when `durable` (an fsync), else at the next one. */
  transaction<T>(change: () => T, durable = false): T {
    if (durable) this.#sqlite.exec("PRAGMA synchronous=FULL");
    try {
      this.run("BEGIN IMMEDIATE");
      try {
        const result = change();
        this.run("COMMIT");
        return result;
      } catch (error) {
        this.run("ROLLBACK");
        throw error;
      }
    } finally {
      if (durable) this.#sqlite.exec("PRAGMA synchronous=NORMAL");
    }
  }

  [Symbol.dispose](): void {
    this.#sqlite.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#sqlite.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
