/**
 * A host that did not pass packets on must not become a router between its own networks because pier needs forwarding
 * for the containers. What was there before is kept apart for as long as the machine runs; interfaces that come later,
 * such as other engines' bridges, are not. Where somebody else has turned forwarding on, it is as they wanted it.
 */
import type { Database } from "../base/database.ts";
import { findBootId, findOuterInterfaces, isForwarding } from "./host.ts";

interface Apart {
  readonly boot: string;
  readonly interfaces: readonly string[];
}

/** Each family is turned on by itself. */
const tables = { ip: "forwarding", ip6: "forwarding6" } as const;

/**
 * The interfaces between which nothing may be passed on; remembered for the next daemon, until the next boot. Those whose
 * names begin with the prefix are ours.
 */
export const keepApart = (database: Database, family: keyof typeof tables, prefix: string): readonly string[] => {
  const table = tables[family];
  database.exec(
    `CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY CHECK (id = 0), document TEXT NOT NULL) STRICT`,
  );
  const boot = findBootId();
  if (!isForwarding(family)) {
    const apart: Apart = { boot, interfaces: findOuterInterfaces(prefix) };
    database.run(`INSERT OR REPLACE INTO ${table} VALUES (0, ?)`, JSON.stringify(apart));
    return apart.interfaces;
  }
  const row = database.get<{ document: string }>(`SELECT document FROM ${table}`);
  if (row === undefined) return [];
  const apart = JSON.parse(row.document) as Apart;
  return apart.boot === boot ? apart.interfaces : [];
};
