/** COPY and ADD: a layer that is written as a tar from files as data; nothing is unpacked on the way. */
import { posix } from "node:path";
import { PierError } from "../base/errors.ts";
import { resolveUser, userFileLimit } from "../container/users.ts";
import { compressionOf } from "../format/compression.ts";
import { expandWord, type Variables } from "../format/dockerfile/expand.ts";
import { parsePathPattern } from "../format/path-patterns.ts";
import type { TarOutput } from "../format/tar/write.ts";
import { OpenTars, type Tree } from "../image/tree.ts";
import { isTarHeader } from "./archives.ts";
import { storeArchive, storeFile } from "./context.ts";
import { type CopyItem, type CopySource, type Owner, planCopy } from "./copy.ts";
import { parseMode } from "./copy-mode.ts";
import { decompressAny } from "./decompress.ts";
import { chomp, type Heredoc } from "./dockerfile/heredocs.ts";
import type { CopyInstruction } from "./dockerfile/instructions.ts";
import { downloadArchive, isUrl } from "./downloads.ts";
import { buildError } from "./errors.ts";
import type { StageFiles } from "./files.ts";
import { type GitAddress, parseGitAddress } from "./git/address.ts";
import { fetchRepository } from "./git/fetch.ts";
import { dependOnItems, keyOf } from "./keys.ts";
import type { RunningStep } from "./report.ts";
import { gitSecretIds } from "./secrets.ts";
import type { Shop } from "./shop.ts";
import type { WorkingImage } from "./working-image.ts";

/** Finds what files come from: a stage, an image, or ("") the context. */
export interface SourceFinder {
  find(name: string): Promise<Omit<CopySource, "pattern">>;
}

export interface CopyStepInput {
  readonly shop: Shop;
  readonly instruction: CopyInstruction;
  readonly image: WorkingImage;
  readonly files: StageFiles;
  readonly variables: Variables;
  readonly backslash: string;
  readonly sources: SourceFinder;
  readonly running: RunningStep;
}

const root: Owner = { uid: 0, gid: 0 };

export async function* outputsOf(items: readonly CopyItem[]): AsyncGenerator<TarOutput> {
  using tars = new OpenTars();
  for (const { header, content } of items) {
    yield content === undefined ? { header } : { header, content: content.tree.contents(content.entry, tars) };
  }
}

export interface CopiedStep {
  readonly files: StageFiles;
  /** As history tells it. */
  readonly told: string;
}

export const copyStep = async (input: CopyStepInput): Promise<CopiedStep> => {
  const { shop, instruction, image, files, running } = input;
  const expand = (word: string): string => expandWord(word, input.variables, { backslash: input.backslash });
  const { flags } = instruction;
  const given = await givenSources(input, expand);
  const below = flags.link === true ? undefined : await running.waitFor("the layers below it", files.tree());
  const items = planCopy({
    name: instruction.kind,
    sources: given,
    target: expand(instruction.target),
    workdir: image.config.WorkingDir || "/",
    below,
    owner: flags.chown === undefined ? undefined : await ownerOf(expand(flags.chown), files),
    mode: flags.chmod === undefined ? undefined : parseMode(expand(flags.chmod)),
    parents: flags.parents === true,
    exclude: (flags.exclude ?? []).map((pattern) => parseExclude(expand(pattern))),
    time: shop.time,
    several: given.length > 1,
  });
  running.standsOn(flags.link === true ? "" : files.key);
  running.depends([["SOURCE_DATE_EPOCH", String(shop.epoch ?? "")]]);
  const digest = dependOnItems(running, items);
  const key = keyOf("COPY", [flags.link === true ? "" : files.key, digest, shop.epoch ?? null]);
  const chained = keyOf("COPIED", [files.key, key]);
  const part = await shop.once(key, running, async () => {
    const made = shop.part(key, running, shop.store(outputsOf(items.some(({ isOld }) => !isOld) ? items : [])));
    await made.diffId;
    return made;
  });
  return { files: files.with(part, chained), told: toldCopy(instruction, expand) };
};

/** Expanded, with those flags alone that say how the files look afterwards. */
const toldCopy = (
  { kind, flags, sources, inline, target }: CopyInstruction,
  expand: (word: string) => string,
): string =>
  [
    kind,
    ...(flags.parents === true ? ["--parents"] : []),
    ...(flags.chown === undefined ? [] : [`--chown=${expand(flags.chown)}`]),
    ...(flags.chmod === undefined ? [] : [`--chmod=${expand(flags.chmod)}`]),
    ...sources.map(expand),
    ...inline.map(({ name }) => `<<${name}`),
    expand(target),
  ].join(" ");

const parseExclude = (pattern: string) => {
  const parsed = parsePathPattern(pattern.replace(/^\/+/, ""), { deep: true });
  if (parsed === undefined) throw buildError("invalidIgnore", { pattern });
  return parsed;
};

/** By the users and groups that the stage's own files have; numbers need none. */
export const ownerOf = async (text: string, files: StageFiles): Promise<Owner> => {
  if (/^\d{1,10}:\d{1,10}$/.test(text)) {
    const { uid, gid } = resolveUser(text, {});
    return { uid, gid };
  }
  const tree: Tree = await files.tree();
  const [passwd, group] = [tree.read("/etc/passwd", userFileLimit), tree.read("/etc/group", userFileLimit)];
  const [user = "", groupName = ""] = text.split(":");
  try {
    const found = resolveUser(text, { passwd, group });
    // A number that nobody is called: its group is the same number.
    const isUnknown = groupName === "" && /^\d+$/.test(user) && found.name === "";
    return { uid: found.uid, gid: isUnknown ? found.uid : found.gid };
  } catch (cause) {
    throw buildError("invalidOwner", { owner: text }, cause);
  }
};

const givenSources = async (input: CopyStepInput, expand: (word: string) => string): Promise<readonly CopySource[]> => {
  const { instruction, sources, shop } = input;
  const from = instruction.flags.from ?? "";
  const base = await sources.find(from);
  // A variable without a value asks for none.
  const checksum = expand(instruction.flags.checksum ?? "") || undefined;
  const given: CopySource[] = [];
  for (const word of instruction.sources.map(expand)) {
    const git = instruction.kind === "ADD" ? parseGitAddress(word) : undefined;
    if (git !== undefined)
      given.push(await fetched(shop, instruction, word, { ...git, commit: checksum ?? git.commit }));
    else if (instruction.kind === "ADD" && isUrl(word)) given.push(await downloaded(shop, instruction, word, checksum));
    else given.push(...(await unpacked(input, { ...base, pattern: word })));
  }
  for (const heredoc of instruction.inline) given.push(await inline(input, heredoc));
  return given;
};

/** The files of a repository, without what git keeps of it. */
const fetched = async (
  shop: Shop,
  { flags }: CopyInstruction,
  address: string,
  git: GitAddress,
): Promise<CopySource> => {
  const secrets = await shop.request.secrets(gitSecretIds(address));
  const { tree } = await fetchRepository(git, {
    ...{ directory: await shop.directory(), signal: shop.signal, secrets },
    keepsGitDirectory: flags["keep-git-dir"] === true || git.keepsGitDirectory,
  });
  return { tree, pattern: "/", owner: root, keepsXattrs: false };
};

const downloaded = async (
  shop: Shop,
  { flags }: CopyInstruction,
  url: string,
  checksum: string | undefined,
): Promise<CopySource> => {
  const { name, tree } = await downloadArchive(url, {
    ...{ checksum, directory: await shop.directory(), signal: shop.signal },
  });
  const source: CopySource = { tree, pattern: `/${name}`, owner: root, keepsXattrs: false };
  if (flags.unpack !== true) return source;
  return (await archiveSource(shop, source)) ?? source;
};

/** ADD unpacks what is an archive, whatever its name, unless it says otherwise. */
const unpacked = async ({ shop, instruction }: CopyStepInput, source: CopySource): Promise<readonly CopySource[]> => {
  if (instruction.kind !== "ADD" || instruction.flags.unpack === false || /[*?[]/.test(source.pattern)) return [source];
  const archive = await archiveSource(shop, source);
  return [archive ?? source];
};

const archiveSource = async (shop: Shop, { tree, pattern }: CopySource): Promise<CopySource | undefined> => {
  const entry = tree.find(posix.resolve("/", pattern));
  if (entry?.type !== "file") return undefined;
  const pieces = (): AsyncIterable<Uint8Array> => asyncOf(tree.contents(entry));
  const [head] = tree.contents(entry);
  if (head === undefined) return undefined;
  const compression = compressionOf(head);
  if (compression === "none" && !isTarHeader(head)) return undefined;
  if (compression !== "none" && !(await holdsTar(pieces(), shop.signal))) return undefined;
  const { tree: inner } = await storeArchive(pieces(), await shop.directory(), shop.signal);
  return { tree: inner, pattern: "/", keepsXattrs: true };
};

async function* asyncOf(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

const holdsTar = async (source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<boolean> => {
  try {
    for await (const bytes of decompressAny(source, signal)) return isTarHeader(bytes);
  } catch (error) {
    if (error instanceof PierError && error.code === "noDecompressor") throw error;
    // A file that only begins like an archive is a file.
  }
  return false;
};

/** A file whose content stands in the Dockerfile. */
const inline = async (input: CopyStepInput, heredoc: Heredoc): Promise<CopySource> => {
  const { shop, variables, backslash } = input;
  const text = heredoc.chomps ? chomp(heredoc.content) : heredoc.content;
  const content = Buffer.from(heredoc.expands ? expandWord(text, variables, { backslash, raw: true }) : text);
  const file = { name: heredoc.name, content: [content], size: content.length, mode: 0o644, time: shop.time };
  const tree = await storeFile(file, await shop.directory());
  return { tree, pattern: `/${heredoc.name}`, owner: root, keepsXattrs: false };
};
