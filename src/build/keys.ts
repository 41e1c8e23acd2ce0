/** Cache keys: digests of everything that a step depends on, and of nothing else. */
import { createHash } from "node:crypto";
import { latin1 } from "../format/tar/numbers.ts";
import { OpenTars } from "../image/tree.ts";
import type { CopyItem } from "./copy.ts";
import type { RunningStep } from "./report.ts";
import { filePart } from "./why.ts";

/** A key of a kind of step; what it is made of are values whose JSON says all of them. Changes of how steps work change the version. */
const version = 1;

export const keyOf = (kind: string, values: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify([version, kind, values]))
    .digest("hex");

/** Of a file's content; of those that stay between builds it is read once. */
const digestOf = ({ tree, entry, digests }: NonNullable<CopyItem["content"]>, tars: OpenTars): Buffer => {
  const known = digests?.get(entry.identity);
  if (known !== undefined) return known;
  const hash = createHash("sha256");
  for (const piece of tree.contents(entry, tars)) hash.update(piece);
  const digest = hash.digest();
  digests?.set(entry.identity, digest);
  return digest;
};

/** What would be copied where: names, kinds, owners, modes, contents; no times. `told` is given each name with the digest of what is there. */
const digestItems = (items: readonly CopyItem[], told: (path: string, digest: string) => void): string => {
  const whole = createHash("sha256");
  using tars = new OpenTars();
  for (const { path, header, content } of items) {
    const { type, mode, uid, gid, link, major, minor, xattrs } = header;
    const attributes =
      xattrs.size === 0 ? [] : [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString("base64")]);
    const facts = [path, type, mode, uid, gid, latin1(link), major, minor, attributes];
    const said = JSON.stringify(facts);
    whole.update(`${said}\n`);
    if (content === undefined) {
      told(path, said);
      continue;
    }
    const digest = digestOf(content, tars);
    whole.update(digest);
    told(path, `${said}${digest.toString("hex")}`);
  }
  return whole.digest("hex");
};

/** Of more files than these only all together is known what changed. */
const namedFiles = 5000;

/** The digest of what would be copied, with each file as a part of the step. */
export const dependOnItems = (running: RunningStep, items: readonly CopyItem[], prefix = "/"): string => {
  // What was there already is said by the files that it was in.
  const own = items.filter(({ isOld }) => !isOld);
  if (own.length > namedFiles) {
    const digest = digestItems(own, () => {});
    running.depends([[`${own.length} files of ${prefix}`, digest]]);
    return digest;
  }
  return digestItems(own, (path, digest) => {
    running.depends([[`${filePart}${prefix}${Buffer.from(path, "latin1").toString("utf8")}`, digest]]);
  });
};
