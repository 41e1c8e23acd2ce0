/** What a program did to the files beneath a directory, call by call, as strace saw it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export type Call =
  | { readonly kind: "create" | "directory" | "remove" | "truncated"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly to: string }
  /** Behind the end of the file when `at` is undefined. */
  | { readonly kind: "write"; readonly path: string; readonly at: number | undefined; readonly bytes: Buffer }
  | { readonly kind: "size"; readonly path: string; readonly size: number }
  /** What was written before the call with this number is on disk. */
  | { readonly kind: "sync"; readonly path: string; readonly before: number }
  /** A line that the program said. */
  | { readonly kind: "said"; readonly line: string };

const traced =
  "openat,mkdir,rename,unlink,unlinkat,rmdir,write,pwrite64,pwritev,pwritev2,fsync,fdatasync,ftruncate,link,linkat," +
  "renameat,renameat2,mkdirat,fallocate,sendfile,copy_file_range";

/** Runs a program; every change that it makes below `root` is among the calls, in their order. */
export const record = (root: string, trace: string, command: readonly string[]): readonly Call[] => {
  const words = ["-f", "-y", "-qq", "-xx", "-s", "100000000", "-o", trace, "-e", `trace=${traced}`, ...command];
  const ran = spawnSync("strace", words, { encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`the program ended with ${ran.status}: ${ran.stderr}`);
  return parse(readFileSync(trace, "latin1"), root);
};

const decoded = (hex: string): Buffer => Buffer.from(hex.replaceAll("\\x", ""), "hex");
const strings = (text: string): Buffer[] =>
  [...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex]) => decoded(hex!));
/** The paths of descriptors, which strace shows behind them. */
const described = (text: string): string[] =>
  [...text.matchAll(/\d<((?:\\x[0-9a-f]{2})+)>/g)].map(([, hex]) => decoded(hex!).toString());

const parse = (trace: string, root: string): Call[] => {
  const calls: Call[] = [];
  const begun = new Map<string, { readonly text: string; readonly before: number }>();
  for (const line of trace.split("\n")) {
    const [, pid, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (pid === undefined || rest === undefined) continue;
    if (rest.endsWith("<unfinished ...>")) {
      begun.set(pid, { text: rest.slice(0, -"<unfinished ...>".length).trimEnd(), before: calls.length });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const start = resumed === undefined ? undefined : begun.get(pid);
    const call = callOf(`${start?.text ?? ""}${resumed ?? rest}`, root, start?.before ?? calls.length);
    if (call !== undefined) calls.push(call);
  }
  return calls;
};

const callOf = (text: string, root: string, before: number): Call | undefined => {
  const [, name, args, result] = /^(\w+)\((.*)\) += (-?\d+)/.exec(text) ?? [];
  if (name === undefined || args === undefined || Number(result) < 0) return undefined;
  const [first, second] = strings(args);
  if (name === "write" && args.startsWith("1<")) return { kind: "said", line: first!.toString().trim() };
  const path = name === "openat" || described(args).length === 0 ? first?.toString() : described(args)[0];
  if (path === undefined || (!path.startsWith(`${root}/`) && path !== root)) return undefined;
  switch (name) {
    case "openat":
      if (!args.includes("O_CREAT")) return undefined;
      return { kind: args.includes("O_TRUNC") ? "truncated" : "create", path };
    case "mkdir":
      return { kind: "directory", path };
    case "rename":
      return { kind: "rename", path, to: second!.toString() };
    case "unlink":
    case "rmdir":
      return { kind: "remove", path };
    case "unlinkat":
      return {
        kind: "remove",
        path: first!.toString().startsWith("/") ? first!.toString() : `${path}/${first!.toString()}`,
      };
    case "write":
      return { kind: "write", path, at: undefined, bytes: first!.subarray(0, Number(result)) };
    case "pwrite64":
    case "pwritev":
    case "pwritev2": {
      const bytes = Buffer.concat(strings(args)).subarray(0, Number(result));
      const at = (name === "pwritev2" ? /, (\d+), \d+$/ : /, (\d+)$/).exec(args)![1];
      return { kind: "write", path, at: Number(at), bytes };
    }
    case "ftruncate":
      return { kind: "size", path, size: Number(/, (\d+)$/.exec(args)![1]) };
    case "fsync":
    case "fdatasync":
      return { kind: "sync", path, before };
    default:
      throw new Error(`the model of a disk does not know ${name}`);
  }
};
