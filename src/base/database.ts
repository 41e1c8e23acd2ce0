/** The one SQLite file of a root: rows are documents in JSON, and a daemon holds its lock for as long as it lives. */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { SyncedFile } from "./durable.ts";
import { errorsFrom, PierError } from "./errors.ts";
import { keepReserve, makeReserve, takeReserve } from "./reserve.ts";
import { SharedSync } from "./shared-sync.ts";

export const databaseErrors = {
  rootInUse: {
    status: 500,
    sentence: "another daemon is using {path}",
    hint: "stop it first, or choose another --root and another --run",
  },
  databaseDamaged: {
    status: 500,
    sentence: "{path} is damaged: {reason}",
    hint: "bring it back from a backup; without it, and what lies beside it under its name, images and containers are forgotten",
  },
  databaseNewer: {
    status: 500,
    sentence: "{path} was written by a newer pier (schema {found}, this one knows {known})",
    hint: "start the newer pier, or choose another --root",
  },
  databaseUnusable: {
    status: 500,
    sentence: "cannot open {path}: {reason}",
    hint: "see who owns it and its directory, and whether the disk is full or read-only",
  },
  diskFull: {
    status: 500,
    sentence: "no space left on device: {path} takes no more",
    hint: "pier rm and pier rmi, of what is not needed",
  },
  diskReadOnly: { status: 500, sentence: "read-only file system: {path} cannot be written" },
  diskBroken: { status: 500, sentence: "input/output error: {path}: {reason}" },
  notOnDisk: { status: 500, sentence: "the database could not be written to disk" },
} as const;
const databaseError = errorsFrom(databaseErrors);

/** Goes up when an older daemon could not work with what a newer one has written. */
const SCHEMA = 1;

/** Result codes of SQLite (sqlite.org/rescode.html), their extended forms cut off. */
const codes = { busy: 5, readOnly: 8, input: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

const codeOf = (error: unknown): number | undefined =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : undefined;

const openError = (path: string, cause: unknown): unknown => {
  if (cause instanceof PierError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  switch (codeOf(cause)) {
    case codes.busy:
      return databaseError("rootInUse", { path }, cause);
    case codes.corrupt:
    case codes.notADatabase:
      return databaseError("databaseDamaged", { path, reason }, cause);
    default:
      return databaseError("databaseUnusable", { path, reason }, cause);
  }
};

/** What the disk says while we work; what is wrong with a statement is a defect, and stays as it is. */
const workError = (path: string, cause: unknown): unknown => {
  const reason = cause instanceof Error ? cause.message : String(cause);
  switch (codeOf(cause)) {
    case codes.full:
      return databaseError("diskFull", { path }, cause);
    case codes.readOnly:
      return databaseError("diskReadOnly", { path }, cause);
    case codes.input:
    case codes.cannotOpen:
      return databaseError("diskBroken", { path, reason }, cause);
    default:
      return cause;
  }
};

export interface DatabaseOptions {
  /** Bytes that the log has from the beginning, for changes on a full disk. */
  readonly reserve?: number;
}

export class Database implements Disposable {
  readonly #path: string;
  readonly #reserve: number;
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #log: SyncedFile;
  readonly #sync: SharedSync;
  /** A sync of the log has failed: what the kernel could not write it has forgotten. */
  #logIsSuspect = false;

  /**
   * Holds afterwards: the file exists, is ours alone (SQLite's exclusive lock), whole, of no newer form than we know, and
   * survives crashes (write-ahead log).
   */
  constructor(path: string, { reserve = 0 }: DatabaseOptions = {}) {
    this.#path = path;
    this.#reserve = reserve;
    // As long as we have its lock, SQLite has one log.
    this.#log = new SyncedFile(`${path}-wal`);
    this.#sync = new SharedSync(async () => this.#log.sync());
    const opened: { sqlite?: DatabaseSync } = {};
    try {
      if (reserve > 0) takeReserve(path);
      const sqlite = new DatabaseSync(path);
      opened.sqlite = sqlite;
      sqlite.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;");
      sqlite.exec("BEGIN IMMEDIATE; COMMIT;");
      this.#sqlite = sqlite;
      this.#checkWhole(path);
      this.#checkSchema(path);
      if (reserve > 0) makeReserve(path, reserve);
    } catch (cause) {
      opened.sqlite?.close();
      throw openError(path, cause);
    }
  }

  /** Runs statements that answer nothing and take no values, such as the making of tables. */
  exec(sql: string): void {
    this.#work(() => this.#sqlite.exec(sql));
  }

  run(sql: string, ...values: (string | number | bigint | null | Uint8Array)[]): { changes: number; lastId: number } {
    const { changes, lastInsertRowid } = this.#work(() => this.#statement(sql).run(...values));
    return { changes: Number(changes), lastId: Number(lastInsertRowid) };
  }

  get<Row>(sql: string, ...values: (string | number | bigint | null)[]): Row | undefined {
    return (this.#work(() => this.#statement(sql).get(...values)) as Row | undefined) ?? undefined;
  }

  all<Row>(sql: string, ...values: (string | number | bigint | null)[]): Row[] {
    return this.#work(() => this.#statement(sql).all(...values)) as Row[];
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
        this.#rollBack();
        throw error;
      }
    } finally {
      if (durable) this.#sqlite.exec("PRAGMA synchronous=NORMAL");
    }
  }

  /**
   * Resolves when everything that is committed survives a power cut. Unlike a durable transaction it holds nobody else
   * up, and whoever asks at the same time waits for one sync together.
   */
  async flush(): Promise<void> {
    if (!this.#logIsSuspect) {
      try {
        return await this.#sync.run();
      } catch {
        this.#logIsSuspect = true;
      }
    }
    // A second sync would find nothing to write, and succeed: the rows are written anew instead, into the file itself.
    const { busy } = this.get<{ busy: number }>("PRAGMA wal_checkpoint(TRUNCATE)")!;
    if (busy !== 0) throw databaseError("notOnDisk", {});
    this.#logIsSuspect = false;
    // It is as short as it can be now.
    if (this.#reserve > 0) makeReserve(this.#path, this.#reserve);
  }

  /** What is wrong with the file; every page of it is read. */
  problem(): string | undefined {
    const found = this.get<{ integrity_check: string }>("PRAGMA integrity_check(1)")?.integrity_check ?? "no answer";
    return found === "ok" ? undefined : found;
  }

  [Symbol.dispose](): void {
    if (this.#reserve > 0) this.#keepReserve();
    this.#log[Symbol.dispose]();
    this.#sqlite.close();
  }

  /** When all that is in the log is in the file as well, and on disk; otherwise SQLite takes care of it. */
  #keepReserve(): void {
    try {
      const { busy } = this.get<{ busy: number }>("PRAGMA wal_checkpoint(RESTART)")!;
      if (busy === 0 && !this.#logIsSuspect) keepReserve(this.#path);
    } catch {
      // The next one makes another, when there is room.
    }
  }

  /** On a full disk SQLite has done so already, and there is nothing left to take back. */
  #rollBack(): void {
    try {
      this.#sqlite.exec("ROLLBACK");
    } catch {
      // The error that led here says more.
    }
  }

  /** A page that went bad is found now, and not by whoever needs what was on it. */
  #checkWhole(path: string): void {
    const reason = this.get<{ quick_check: string }>("PRAGMA quick_check(1)")?.quick_check ?? "no answer";
    if (reason !== "ok") throw databaseError("databaseDamaged", { path, reason });
  }

  #checkSchema(path: string): void {
    const found = this.get<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0;
    if (found > SCHEMA) throw databaseError("databaseNewer", { path, found, known: SCHEMA });
    if (found < SCHEMA) this.#sqlite.exec(`PRAGMA user_version=${SCHEMA}`);
  }

  #work<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw workError(this.#path, error);
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#sqlite.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
