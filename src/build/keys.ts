/** Cache keys: digests of everything that a step depends on, and of nothing else. */
import { createHash } from "node:crypto";
import type { CopyItem } from "./copy.ts";

/** A key of a kind of step; what it is made of are values whose JSON says all of them. Changes of how steps work change the version. */
const version = 1;

export const keyOf = (kind: string, values: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify([version, kind, values]))
    .digest("hex");

/** What would be copied where: names, kinds, owners, modes, contents; no times. */
export const digestOfItems = (items: readonly CopyItem[]): string => {
  const whole = createHash("sha256");
  for (const { path, header, content, isOld } of items) {
    // What was there already is said by the files that it was in.
    if (isOld) continue;
    const { type, mode, uid, gid, link, major, minor, xattrs } = header;
    const attributes = [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString("base64")]);
    const facts = [path, type, mode, uid, gid, Buffer.from(link).toString("latin1"), major, minor, attributes];
    whole.update(`${JSON.stringify(facts)}\n`);
    if (content === undefined) continue;
    const hash = createHash("sha256");
    for (const piece of content.tree.contents(content.entry)) hash.update(piece);
    whole.update(hash.digest());
  }
  return whole.digest("hex");
};
