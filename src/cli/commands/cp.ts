/** `pier cp` */
import { lstat, realpath, stat } from "node:fs/promises";
import { basename, dirname, posix, resolve } from "node:path";
import { AnswerError, type Client } from "../../api/client.ts";
import { readTar, type TarItem } from "../../format/tar/read.ts";
import { writeTar } from "../../format/tar/write.ts";
import { command } from "../command.ts";
import { packEntries } from "../copy/pack.ts";
import { type Place, parseRemote, planCopy, renamed, splitPath } from "../copy/places.ts";
import { unpack } from "../copy/unpack.ts";
import { cliError } from "../errors.ts";
import { fileFailure } from "../failure.ts";
import { flag } from "../flags.ts";
import { readInput } from "../streams/input.ts";
import { printError } from "../streams/output.ts";
import { saveTo } from "../streams/save.ts";
import { formatSize } from "../values/bytes.ts";
import { boolean } from "../values/kinds.ts";

const flags = {
  archive: flag(boolean(), "Archive mode (copy all uid/gid information)", { short: "a" }),
  "follow-link": flag(boolean(), "Always follow symbol link in SRC_PATH", { short: "L" }),
  quiet: flag(
    boolean(),
    "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
    { short: "q" },
  ),
} as const;

interface Remote {
  readonly container: string;
  readonly path: string;
}

export const cp = command({
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tpier cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  flags,
  least: 2,
  most: 2,
  run: async ({ values, positional: [from = "", to = ""], client }) => {
    if (from === "") throw cliError("copyEmpty", { what: "source" });
    if (to === "") throw cliError("copyEmpty", { what: "destination" });
    const [source, destination] = [parseRemote(from), parseRemote(to)];
    if (source !== undefined && destination !== undefined) throw cliError("copyBetween", {});
    const follows = values["follow-link"];
    const say = (size: number): void => {
      if (!values.quiet) printError(`Successfully copied ${formatSize(size)} to ${to}\n`);
    };
    if (source !== undefined) await copyOut(client, source, to, follows, say);
    else if (destination !== undefined) await copyIn(client, from, destination, follows, values.archive, say);
    else throw cliError("copyNowhere", {});
  },
});

interface PathStat {
  readonly mode: number;
  readonly linkTarget: string;
}

const isDirectory = ({ mode }: PathStat): boolean => mode >= 2 ** 31;

/** What is there, and an archive of it. */
const openArchive = async (client: Client, { container, path }: Remote) => {
  const { head, body } = await client.send("archiveGet", { id: container }, { query: { path } });
  const header = head.headers.get("x-docker-container-path-stat") ?? "";
  const found: PathStat = JSON.parse(Buffer.from(header, "base64").toString());
  return { found, body };
};

const findStat = async (client: Client, remote: Remote): Promise<PathStat> => {
  const { found, body } = await openArchive(client, remote);
  // Nobody reads the archive to its end: the daemon stops making it.
  for await (const _first of body) break;
  return found;
};

async function* counted(source: AsyncIterable<Uint8Array>, count: { size: number }): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    count.size += chunk.length;
    yield chunk as Buffer;
  }
}

const copyOut = async (
  client: Client,
  source: Remote,
  to: string,
  follows: boolean,
  say: (size: number) => void,
): Promise<void> => {
  const name = splitPath(source.path).name;
  const linked = follows ? (await findStat(client, source)).linkTarget : "";
  const { found, body } = await openArchive(client, linked === "" ? source : { ...source, path: linked });
  if (to === "-") return saveTo("", body);
  const count = { size: 0 };
  const items = readTar(counted(body, count));
  // What a link led to is called as the link was.
  const called = linked === "" ? name : splitPath(linked).name;
  const from = { path: source.path, exists: true, isDirectory: isDirectory(found), name };
  const plan = planCopy(from, await findLocal(to));
  await unpack(called === name ? items : renaming(items, called, name), plan);
  say(count.size);
};

async function* renaming(items: AsyncIterable<TarItem>, from: string, to: string): AsyncGenerator<TarItem> {
  const change = (path: Uint8Array): Uint8Array => Buffer.from(renamed(Buffer.from(path).toString(), { from, to }));
  for await (const { entry, content } of items) {
    const link = entry.type === "hardlink" ? change(entry.link) : entry.link;
    yield { entry: { ...entry, path: change(entry.path), link }, content };
  }
}

/** The end of the path as it was written says what is asked for; all links on the way are followed. */
const findLocal = async (path: string): Promise<Place> => {
  const end = /\/\.?$/.exec(path)?.[0] ?? "";
  const absolute = resolve(path);
  const found = await stat(absolute).catch(() => undefined);
  if (found === undefined) {
    const parent = await stat(dirname(absolute)).catch((cause: unknown) => {
      throw fileFailure(dirname(absolute), Object.assign(cause as Error, { syscall: "lstat" }));
    });
    if (!parent.isDirectory()) throw cliError("noSuchDirectory", {});
    return { path: absolute + end, exists: false, isDirectory: false };
  }
  return { path: await realpath(absolute), exists: true, isDirectory: found.isDirectory() };
};

const copyIn = async (
  client: Client,
  from: string,
  { container, path }: Remote,
  follows: boolean,
  archive: boolean,
  say: (size: number) => void,
): Promise<void> => {
  const to = await findDestination(client, { container, path });
  const count = { size: 0 };
  const send = async (directory: string, data: AsyncIterable<Uint8Array>): Promise<void> => {
    const query = { path: directory, noOverwriteDirNonDir: "true", copyUIDGID: archive ? "true" : undefined };
    const stream = { type: "application/x-tar", data: counted(data, count) };
    await client.text("archivePut", { id: container }, { query, stream });
  };
  if (from === "-") {
    if (!to.isDirectory) throw cliError("copyToFile", { place: `${container}:${path}` });
    return send(to.path, readInput());
  }
  const { real, name, ...source } = await findSource(from, follows);
  const plan = planCopy({ ...source, name }, to);
  await send(plan.directory, writeTar(packEntries(real, renamed(name, plan.rename))));
  say(count.size);
};

/** What is copied from here: where it really is, and what it is called. */
const findSource = async (path: string, follows: boolean) => {
  const isContents = /(^|\/)\.$/.test(path);
  const absolute = resolve(path);
  const through = follows || isContents || path.endsWith("/");
  const found = await (through ? stat(absolute) : lstat(absolute)).catch((cause: unknown) => {
    throw fileFailure(absolute, Object.assign(cause as Error, { syscall: "lstat" }));
  });
  if (path.endsWith("/") && !found.isDirectory()) throw cliError("sourceNoDirectory", { path });
  return {
    path,
    exists: true,
    isDirectory: found.isDirectory(),
    real: through ? await realpath(absolute) : absolute,
    name: isContents ? "." : basename(absolute) || "/",
  };
};

const findDestination = async (client: Client, remote: Remote): Promise<Place> => {
  try {
    const found = await findStat(client, remote);
    if (found.linkTarget === "") return { path: remote.path, exists: true, isDirectory: isDirectory(found) };
    const path = posix.join(posix.dirname(remote.path), found.linkTarget);
    const target = found.linkTarget.startsWith("/") ? found.linkTarget : path;
    return {
      path: target,
      exists: true,
      isDirectory: isDirectory(await findStat(client, { ...remote, path: target })),
    };
  } catch (error) {
    // What is not there yet may be made; whether its directory is there, the daemon says.
    if (!(error instanceof AnswerError) || error.status !== 404 || /No such container/.test(error.message)) throw error;
    return { path: remote.path, exists: false, isDirectory: false };
  }
};
