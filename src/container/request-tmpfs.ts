/** The options of a tmpfs mount: checked, and without what a later one overrides (moby/sys/mount, MergeTmpfsOptions). */
import type { Mount } from "../api/types.ts";
import { mountOptions, propagations } from "../kernel/numbers/mount.ts";
import { containerError } from "./errors.ts";
import type { TmpfsRequest } from "./request.ts";

const defaults = ["noexec", "nosuid", "nodev", "rprivate"] as const;
const dataOptions: ReadonlySet<string> = new Set(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]);

/** `size=64m,exec` over the defaults; the last of each kind holds. */
export const mergeTmpfsOptions = (text: string): readonly string[] => {
  const words = [...defaults, ...text.split(",")].filter((word) => word !== "" && word !== "defaults");
  const kinds = words.map(kindOf);
  return words.filter((_, index) => !kinds.includes(kinds[index]!, index + 1));
};

/** What excludes what: `ro` and `rw`, two sizes, two propagations. */
const kindOf = (word: string): string => {
  if (Object.hasOwn(propagations, word)) return "propagation";
  if (Object.hasOwn(mountOptions, word)) {
    const option = mountOptions[word]!;
    return `flag ${"set" in option ? option.set : option.clear}`;
  }
  const [name = "", value] = word.split("=", 2);
  if (value === undefined || !dataOptions.has(name)) throw containerError("invalidTmpfsOption", { option: name });
  return name;
};

/** `--mount type=tmpfs`: sizes in bytes and a mode as a number. */
export const parseTmpfsMount = (mount: Mount, target: string, fail: (reason: string) => Error): TmpfsRequest => {
  const { SizeBytes: size = 0, Mode: mode = 0, Options: options } = mount.TmpfsOptions ?? {};
  if (mount.VolumeOptions) throw fail("field VolumeOptions must not be specified");
  if (size < 0) throw fail("SizeBytes must not be negative");
  if (mode < 0 || mode > 0o7777) throw fail("Mode must be a file mode");
  const words = [
    ...(mount.ReadOnly ? ["ro"] : []),
    ...(mode === 0 ? [] : [`mode=${mode.toString(8)}`]),
    ...(size === 0 ? [] : [`size=${humanSize(size)}`]),
    ...(options ?? []).map((option) => parseOption(option, fail)),
  ];
  const text = words.join(",");
  return { kind: "tmpfs", form: "mounts", target, options: mergeTmpfsOptions(text), mode: text };
};

const parseOption = (option: readonly string[], fail: (reason: string) => Error): string => {
  if (option.length < 1 || option.length > 2) throw fail("invalid option array length");
  if (option[0] !== "exec" && option[0] !== "noexec") throw fail(`invalid option: ${option[0]}`);
  return option.join("=");
};

const humanSize = (bytes: number): string => {
  for (const [suffix, unit] of [
    ["g", 2 ** 30],
    ["m", 2 ** 20],
    ["k", 2 ** 10],
  ] as const) {
    if (bytes % unit === 0) return `${bytes / unit}${suffix}`;
  }
  return String(bytes);
};
