/**
 * Dockerfiles as people write them, from the files of `corpus/`. A file has a title and builds; a build begins with
 * `=== NAME [FLAGS OF docker build]`, and each file of its context with `--- PATH [WORD...]`, where a word is a mode, `dir`,
 * `-> TARGET` of a link, `tar UID:GID` or `gzip` (what is below becomes an archive), `crlf` or `bom`.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

interface ContextFile {
  readonly path: string;
  readonly words: readonly string[];
  readonly content: string;
}

export interface CorpusBuild {
  readonly name: string;
  readonly flags: readonly string[];
  readonly files: readonly ContextFile[];
}

const directory = new URL("corpus/", import.meta.url);

const parseFile = (text: string): ContextFile => {
  const [heading = "", ...lines] = text.split("\n");
  // Of names with spaces the words are those that can only be words.
  const match = /^(.*?)((?: (?:[0-7]{3,4}|dir|-> .*|tar \S+|gzip|crlf|bom))*)$/.exec(heading)!;
  return { path: match[1]!, words: match[2]!.trim().split(" ").filter(Boolean), content: lines.join("\n") };
};

const parseBuild = (text: string): CorpusBuild => {
  const [head = "", ...files] = `${text.trimEnd()}\n`.split(/^--- /m);
  const [name = "", ...flags] = head.trim().split(" ");
  return { name, flags, files: files.map(parseFile) };
};

/** All builds of the files with these names, or of all. */
export const readCorpus = (...names: readonly string[]): readonly CorpusBuild[] => {
  const wanted = names.length > 0 ? names.map((name) => `${name}.txt`) : readdirSync(directory).sort();
  return wanted
    .filter((name) => name.endsWith(".txt"))
    .flatMap((name) => readFileSync(new URL(name, directory), "utf8").split(/^=== /m).slice(1).map(parseBuild));
};

const compressors: Readonly<Record<string, string>> = { gz: "z", tgz: "z", xz: "J", bz2: "j" };

/** Every line `path=content` is a file of the archive. */
const writeArchive = (path: string, owner: string, content: string): void => {
  const staged = mkdtempSync(`${dirname(path)}-`);
  for (const line of content.trim().split("\n")) {
    const [name = "", text = ""] = line.split("=");
    mkdirSync(dirname(join(staged, name)), { recursive: true });
    writeFileSync(join(staged, name), text);
  }
  const [uid, gid] = owner.split(":");
  const flag = compressors[path.split(".").at(-1)!] ?? "";
  const owners = [`--owner=+${uid}`, `--group=+${gid}`, "--mtime=@1000000000", "--sort=name"];
  const top = readdirSync(staged);
  execFileSync("tar", [`-c${flag}f`, path, ...owners, "-C", staged, ...top]);
  rmSync(staged, { recursive: true });
};

const writeEntry = (root: string, { path: name, words, content }: ContextFile): void => {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  const mode = words.find((word) => /^[0-7]{3,4}$/.test(word));
  if (words[0] === "->") {
    symlinkSync(words[1]!, path);
    return;
  }
  if (words.includes("dir")) mkdirSync(path, { recursive: true });
  else if (words[0] === "tar") writeArchive(path, words[1]!, content);
  else if (words[0] === "gzip") writeFileSync(path, gzipSync(content));
  else if (words[0] === "crlf") writeFileSync(path, content.replaceAll("\n", "\r\n"));
  else writeFileSync(path, words[0] === "bom" ? `\uFEFF${content.trimEnd()}` : content);
  if (mode !== undefined) chmodSync(path, Number.parseInt(mode, 8));
  else if (!words.includes("dir")) chmodSync(path, 0o644);
};

/** The build's context, as a new directory below this one. */
export const writeContext = ({ files, name }: CorpusBuild, below: string): string => {
  const root = join(below, name);
  mkdirSync(root, { mode: 0o755 });
  for (const file of files) writeEntry(root, file);
  return root;
};
