/** A git repository as a tree of files: fetched as shallow as can be, with its submodules; nothing of it is executed. */
import { lstat, mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import type { TarTime } from "../../format/tar/entry.ts";
import { type TarOutput, writeTar } from "../../format/tar/write.ts";
import type { Tree } from "../../image/tree.ts";
import { storeArchive } from "../context.ts";
import { buildError } from "../errors.ts";
import { type GitAddress, hidePassword } from "./address.ts";
import { type GitPlace, runGit } from "./program.ts";
import { headerOf, listTree, readEntries } from "./tree.ts";

export interface FetchOptions {
  /** Exists, and is the caller's: what is fetched lies beneath it. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** The files have their history beside them, as `.git`. */
  readonly keepsGitDirectory: boolean;
  /** Of a build: `GIT_AUTH_TOKEN` and `GIT_AUTH_HEADER`, also with `.HOST`, say who asks. */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
}

export interface FetchedRepository {
  readonly tree: Tree;
  readonly commit: string;
}

/** Holds afterwards: the files of the commit are an archive beneath the directory. */
export const fetchRepository = async (address: GitAddress, options: FetchOptions): Promise<FetchedRepository> => {
  const { directory } = options;
  // For the host that was asked for: what a submodule's address says is the repository's own word.
  const settings = authorization(address.remote, options.secrets);
  const repository = await Repository.fetch(address, {
    ...options,
    directory: join(directory, "repository"),
    settings,
  });
  const { commit } = repository;
  if (!commit.startsWith(address.commit)) {
    throw buildError("checksum", { url: hidePassword(address.remote), found: commit, expected: address.commit });
  }
  const keeps = options.keepsGitDirectory && address.directory === "";
  const archive = join(directory, "files");
  await mkdir(archive, { mode: 0o700 });
  const entries = async function* (): AsyncGenerator<TarOutput> {
    if (keeps) yield* repository.history();
    yield* repository.files(address.directory, "", 0);
  };
  return { tree: (await storeArchive(writeTar(entries()), archive)).tree, commit };
};

const maxDepth = 8;

interface RepositoryOptions {
  /** Is made. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly settings: GitPlace["settings"];
}

/** One commit of a repository, as it lies in a directory of ours. */
class Repository {
  readonly #address: GitAddress;
  readonly #place: GitPlace;
  readonly #time: TarTime;
  readonly commit: string;

  private constructor(address: GitAddress, place: GitPlace, commit: string, seconds: bigint) {
    this.#address = address;
    this.#place = place;
    this.commit = commit;
    // As old as the commit: the same commit gives the same bytes.
    this.#time = { seconds, nanoseconds: 0 };
  }

  static async fetch(address: GitAddress, { directory, signal, settings }: RepositoryOptions): Promise<Repository> {
    const { remote, ref } = address;
    if (!/^(https?|git):\/\//i.test(remote)) throw buildError("gitProtocol", { remote: hidePassword(remote) });
    await mkdir(directory, { mode: 0o700 });
    const place: GitPlace = { directory: join(directory, ".git"), remote, signal, settings };
    await runGit(place, "init", "--quiet", "--template=");
    const commit = await fetchCommit(place, ref === "" ? "HEAD" : ref);
    const time = await runGit(place, "log", "-1", "--format=%ct", commit);
    return new Repository(address, place, commit, BigInt(time.trim()));
  }

  /** Beneath the prefix: the files of a directory, and those of its submodules, each at the commit that is named. */
  async *files(directory: string, prefix: string, depth: number): AsyncGenerator<TarOutput> {
    const entries = await listTree(this.#place, this.commit, directory);
    yield* readEntries(this.#place, entries, { prefix, time: this.#time });
    const modules = entries.filter(({ kind }) => kind === "module");
    if (modules.length === 0) return;
    if (depth === maxDepth) throw this.#wrong(`it has submodules in more than ${maxDepth} levels`);
    const addresses = await this.#modules();
    for (const [number, { path, object }] of modules.entries()) {
      const remote = addresses.get(posix.join(directory, path));
      // As for `git submodule update`: one that nobody describes is an empty directory.
      if (remote === undefined) continue;
      const address = { remote, ref: object, directory: "", commit: object, keepsGitDirectory: false };
      const place = join(dirname(this.#place.directory), `module-${number}`);
      const module = await Repository.fetch(address, { ...this.#place, directory: place });
      yield* module.files("", posix.join(prefix, path), depth + 1);
    }
  }

  /** The remotes of submodules by their paths, as .gitmodules says. */
  async #modules(): Promise<ReadonlyMap<string, string>> {
    const name = ".gitmodules";
    if ((await runGit(this.#place, "ls-tree", "--full-tree", this.commit, "--", name)) === "") return new Map();
    const listed = await runGit(this.#place, "config", `--blob=${this.commit}:${name}`, "--null", "--list");
    const found = new Map<string, { path?: string; url?: string }>();
    for (const line of listed.split("\0")) {
      const [, name = "", key, value = ""] = /^submodule\.([\s\S]*)\.(path|url)\n([\s\S]*)$/.exec(line) ?? [];
      if (key !== undefined) found.set(name, { ...found.get(name), [key]: value });
    }
    const all = [...found.values()].filter((one) => one.path !== undefined && one.url !== undefined);
    return new Map(all.map(({ path = "", url = "" }) => [path, this.#resolve(url)]));
  }

  /** `../other.git` is beside this one. */
  #resolve(url: string): string {
    if (!/^\.\.?\//.test(url)) return url;
    const base = this.#address.remote.replace(/\/*$/, "/");
    if (!URL.canParse(url, base)) throw this.#wrong(`its submodule ${JSON.stringify(url.slice(0, 200))} is nowhere`);
    return new URL(url, base).href;
  }

  /** What git itself would keep beside the files: where they came from, and the commit as HEAD. */
  async *history(): AsyncGenerator<TarOutput> {
    const { remote } = this.#address;
    await runGit(this.#place, "config", "remote.origin.url", hidePassword(remote));
    await runGit(this.#place, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");
    await runGit(this.#place, "update-ref", "--no-deref", "HEAD", this.commit);
    await runGit(this.#place, "read-tree", "HEAD");
    yield* walk(this.#place.directory, ".git", this.#time);
  }

  #wrong(reason: string): Error {
    return buildError("git", { remote: hidePassword(this.#address.remote), reason });
  }
}

const isCommit = (ref: string): boolean => /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(ref);

/** What the ref is, fetched alone; of a commit that its server does not give away so, or that is abbreviated, everything. */
const fetchCommit = async (place: GitPlace, ref: string): Promise<string> => {
  const fetch = (...args: readonly string[]) =>
    runGit(place, "fetch", "--quiet", "--no-tags", "--force", ...args.slice(0, -1), "--", place.remote, args.at(-1)!);
  const commitOf = async (name: string): Promise<string> =>
    (await runGit(place, "rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`)).trim();
  try {
    await fetch("--depth=1", ref);
    return await commitOf("FETCH_HEAD");
  } catch (error) {
    if (!isCommit(ref) && !/^[0-9a-f]{7,39}$/.test(ref)) throw error;
    await fetch("+refs/heads/*:refs/remotes/origin/*");
    await runGit(place, "fetch", "--quiet", "--force", "--", place.remote, "+refs/tags/*:refs/tags/*");
    return await commitOf(ref).catch(() => {
      throw error;
    });
  }
};

/** Who asks, for the host of the remote alone. */
const authorization = (
  remote: string,
  secrets: FetchOptions["secrets"],
): readonly (readonly [name: string, value: string])[] => {
  if (!/^https?:/i.test(remote) || !URL.canParse(remote)) return [];
  const { host, origin } = new URL(remote);
  const secret = (name: string): string | undefined => {
    const found = secrets.get(`${name}.${host}`) ?? secrets.get(name);
    return found === undefined ? undefined : Buffer.from(found).toString("utf8").trim();
  };
  const token = secret("GIT_AUTH_TOKEN");
  const given = secret("GIT_AUTH_HEADER");
  const basic = token === undefined ? undefined : `basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
  const header = given ?? basic;
  return header === undefined ? [] : [[`http.${origin}/.extraHeader`, `Authorization: ${header}`]];
};

/** Of fetching alone. */
const leftOut = new Set(["FETCH_HEAD"]);

/** A directory that git has made: files and directories, and nobody else writes there. */
async function* walk(directory: string, name: string, time: TarTime): AsyncGenerator<TarOutput> {
  yield { header: headerOf(`${name}/`, "directory", 0o755, time) };
  for (const inner of (await readdir(directory)).sort()) {
    const path = join(directory, inner);
    const status = await lstat(path);
    if (leftOut.has(inner)) continue;
    if (status.isDirectory()) yield* walk(path, `${name}/${inner}`, time);
    else if (status.isFile()) {
      const content = await readFile(path);
      const header = {
        ...headerOf(`${name}/${inner}`, "file", status.mode & 0o100 ? 0o755 : 0o644, time),
        size: content.length,
      };
      yield content.length === 0 ? { header } : { header, content: [content] };
    }
  }
}
