/**
 * Who runs a process: `USER` and `--user` resolved against the container's /etc/passwd and /etc/group, which are
 * hostile. Digits are always an id and never looked up as a name (CVE-2016-3697, CVE-2024-40635), no id wraps, and a
 * line whose ids are no ids does not count.
 */
import { containerError } from "./errors.ts";

export interface User {
  readonly uid: number;
  readonly gid: number;
  /** The primary group first, each once. */
  readonly groups: readonly number[];
  readonly home: string;
  /** As /etc/passwd calls the user; "" when it does not. */
  readonly name: string;
}

/** What /etc/passwd and /etc/group hold; absent: no such regular file. */
export interface UserFiles {
  readonly passwd?: Uint8Array | undefined;
  readonly group?: Uint8Array | undefined;
}

/** The most that is read of either file: 10 MiB, as containerd (CVE-2026-47262). */
export const userFileLimit = 10 * 1024 * 1024;

/** setgroups(2) takes no more: NGROUPS_MAX. */
const maxGroups = 65_536;
const maxId = 2 ** 31 - 1;

/** Resolves `user[:group]` ("" is root) and the further groups of `--group-add`. */
export const resolveUser = (spec: string, files: UserFiles, groupAdd: readonly string[] = []): User => {
  const [userPart = "", groupPart = ""] = spec.split(":");
  const groups = () => readGroups(files.group);
  const user = findUser(userPart, files.passwd);
  const gid = groupPart === "" ? user.gid : resolveGroup(groupPart, groups());
  const memberOf =
    groupPart === "" && user.name !== ""
      ? groups()
          .filter(({ members }) => members.includes(user.name))
          .map((group) => group.gid)
      : [];
  const added = groupAdd.map((group) => resolveGroup(group, groups()));
  const all = [...new Set([gid, ...memberOf, ...added])];
  if (all.length > maxGroups) throw containerError("tooManyGroups", { user: spec, count: all.length, max: maxGroups });
  return { uid: user.uid, gid, groups: all, home: user.home, name: user.name };
};

/** The home directory that /etc/passwd gives a user; "/" when it knows none. */
export const homeOf = (uid: number, passwd: Uint8Array | undefined): string =>
  first(readPasswd(passwd), (entry) => entry.uid === uid)?.home || "/";

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const findUser = (asked: string, passwd: Uint8Array | undefined): PasswdEntry => {
  const uid = asked === "" ? 0 : parseId(asked);
  const found = first(readPasswd(passwd), (entry) => (uid === undefined ? entry.name === asked : entry.uid === uid));
  if (found !== undefined) return { ...found, home: found.home || "/" };
  if (uid === undefined) throw containerError("noSuchUser", { user: asked });
  return { name: "", uid, gid: 0, home: "/" };
};

const resolveGroup = (asked: string, groups: readonly GroupEntry[]): number => {
  const gid = parseId(asked) ?? groups.find(({ name }) => name === asked)?.gid;
  if (gid === undefined) throw containerError("noSuchGroup", { group: asked });
  return gid;
};

/** An id, undefined for a name. What only looks like a number ("+1", "-1") is neither. */
const parseId = (text: string): number | undefined => {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const id = /^\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (!(id <= maxId)) throw containerError("idOutOfRange", { max: maxId });
  return id;
};

const fileId = (text: string | undefined): number | undefined => {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= maxId ? id : undefined;
};

function* readPasswd(bytes: Uint8Array | undefined): Generator<PasswdEntry> {
  for (const [name = "", , uidField, gidField, , home = ""] of fieldsOf(bytes)) {
    const uid = fileId(uidField);
    const gid = fileId(gidField);
    if (uid !== undefined && gid !== undefined) yield { name, uid, gid, home };
  }
}

const readGroups = (bytes: Uint8Array | undefined): readonly GroupEntry[] => {
  const groups: GroupEntry[] = [];
  for (const [name = "", , gidField, members = ""] of fieldsOf(bytes)) {
    const gid = fileId(gidField);
    if (gid !== undefined) groups.push({ name, gid, members: members.split(",") });
  }
  return groups;
};

function* fieldsOf(bytes: Uint8Array | undefined): Generator<readonly string[]> {
  if (bytes === undefined) return;
  const text = new TextDecoder().decode(bytes.subarray(0, userFileLimit));
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end).trim();
    start = end + 1;
    // A line with a NUL would end the string early where C reads it.
    if (line !== "" && !line.startsWith("#") && !line.includes("\0")) yield line.split(":");
  }
}

const first = <T>(items: Iterable<T>, matches: (item: T) => boolean): T | undefined => {
  for (const item of items) if (matches(item)) return item;
  return undefined;
};
