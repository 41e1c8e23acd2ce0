/** Where a git repository is, as people write it: `https://host/app.git#ref:subdirectory`, `git@host:app.git?branch=main`. */
import { posix } from "node:path";
import { buildError } from "../errors.ts";

export interface GitAddress {
  /** What git is given. */
  readonly remote: string;
  /** A branch, a tag or a commit; "": what the repository's HEAD is. */
  readonly ref: string;
  /** Beneath the repository's root, without slashes around it; "": all of it. */
  readonly directory: string;
  /** What must have been fetched; "": whatever was. */
  readonly commit: string;
  readonly keepsGitDirectory: boolean;
}

const schemes = /^(https?|git|ssh):\/\//i;
const scpLike = /^[\w-]+@[\w.-]+:/;

/** Undefined for what is no repository: a file on a web server, a name, a path. Throws for one that nobody can mean. */
export const parseGitAddress = (text: string): GitAddress | undefined => {
  const [before = "", ...after] = text.split("#");
  const [place = "", ...queries] = before.split("?");
  if (!isRepository(place)) return undefined;
  const wrong = (reason: string): Error => buildError("gitAddress", { address: hidePassword(text), reason });
  const [fragmentRef = "", ...directories] = after.join("#").split(":");
  const query = new URLSearchParams(queries.join("?"));
  const unknown = [...query.keys()].find((name) => !parameters.has(name));
  if (unknown !== undefined) throw wrong(`unexpected query ${JSON.stringify(unknown)}`);
  const get = (name: string): string => query.get(name) ?? "";
  const refs = [fragmentRef, get("ref"), get("branch"), get("tag")].filter((ref) => ref !== "");
  if (refs.length > 1) throw wrong("it names more than one ref");
  const commit = get("commit") || get("checksum");
  const ref = refs[0] ?? commit;
  if (ref !== "" && !isRef(ref)) throw wrong(`${JSON.stringify(ref)} is no ref`);
  if (commit !== "" && !/^[0-9a-f]{7,64}$/.test(commit)) throw wrong(`${JSON.stringify(commit)} is no commit`);
  return {
    remote: place.startsWith("github.com/") ? `https://${place}` : place,
    directory: posix.resolve("/", directories.join(":") || get("subdir")).slice(1),
    keepsGitDirectory:
      /^(1|true)$/.test(get("keep-git-dir")) || (query.has("keep-git-dir") && get("keep-git-dir") === ""),
    ...{ ref, commit },
  };
};

const parameters = new Set(["ref", "branch", "tag", "commit", "checksum", "subdir", "keep-git-dir"]);

const isRepository = (place: string): boolean => {
  if (place.startsWith("github.com/") || scpLike.test(place)) return true;
  const scheme = schemes.exec(place)?.[1]?.toLowerCase();
  return scheme !== undefined && (!scheme.startsWith("http") || place.endsWith(".git"));
};

/** git-check-ref-format(1), and nothing that git could take for an option. */
const isRef = (ref: string): boolean =>
  /^[^\s~^:?*[\\\x7f\0-\x1f]+$/.test(ref) && !/^[-/.]|\.\.|@\{|\/\/|[/.]$|\.lock$/.test(ref);

/** For what is said. */
export const hidePassword = (text: string): string => text.replaceAll(/(\/\/)[^/@\s]+@/g, "$1");
