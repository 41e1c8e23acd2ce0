/** The options of the `local` driver: what stands behind a volume that is more than a directory of ours. Pure. */
import { mountFlags, mountOptions } from "../kernel/numbers/mount.ts";
import { volumeError } from "./errors.ts";

export type VolumeSource =
  | { readonly kind: "directory" }
  /** A directory of the host, and with what options it is bound. */
  | { readonly kind: "bind"; readonly path: string; readonly options: readonly string[] }
  /** A file system that is mounted while somebody uses it. */
  | {
      readonly kind: "mount";
      readonly type: string;
      readonly device: string;
      readonly flags: number;
      readonly data: string;
    };

const known = ["type", "o", "device", "size"] as const;
const required: Readonly<Record<string, readonly string[]>> = {
  device: ["type"],
  type: ["device"],
  o: ["device", "type"],
};

/** Throws for options that mean nothing, in Docker's words. */
export const parseVolumeOptions = (name: string, options: Readonly<Record<string, string>> | null): VolumeSource => {
  const asked = new Map(Object.entries(options ?? {}));
  const wrong = (reason: string) => volumeError("invalidVolumeOption", { name, reason });
  if (asked.size === 0) return { kind: "directory" };
  for (const option of asked.keys()) {
    if (!(known as readonly string[]).includes(option)) throw wrong(`invalid option: "${option}"`);
  }
  // Docker needs a file system with project quotas for it; pier has no quotas yet, and says so in the same words.
  if (asked.has("size")) throw wrong("quota size requested but no quota support");
  for (const [option, others] of Object.entries(required)) {
    const missing = asked.has(option) ? others.find((other) => !asked.has(other)) : undefined;
    if (missing !== undefined) throw wrong(`missing required option: "${missing}"`);
  }
  const [type, device, words] = [asked.get("type") ?? "", asked.get("device") ?? "", asked.get("o") ?? ""];
  if ([type, device, words].some((text) => text.includes("\0"))) throw wrong("options cannot contain a NUL byte");
  const { flags, data } = parseWords(words);
  if ((flags & mountFlags.MS_BIND) === 0) return { kind: "mount", type, device, flags, data };
  if (!device.startsWith("/")) throw wrong(`the device of a bind must be an absolute path: "${device}"`);
  // Further words are a file system's: for a bind the kernel takes them and ignores them, and so does Docker.
  return { kind: "bind", path: device, options: bindWords.filter((word) => isSet(word, flags)) };
};

/** What a bind can have that is not its file system's. */
const bindWords = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "strictatime", "nosymfollow"] as const;

const isSet = (word: string, flags: number): boolean => {
  const option = mountOptions[word];
  return option !== undefined && "set" in option && (flags & option.set) !== 0;
};

const parseWords = (text: string): { readonly flags: number; readonly data: string } => {
  let flags = 0;
  const data: string[] = [];
  for (const word of text.split(",").filter((one) => one !== "")) {
    const option = Object.hasOwn(mountOptions, word) ? mountOptions[word] : undefined;
    if (option === undefined) data.push(word);
    else flags = "set" in option ? flags | option.set : flags & ~option.clear;
  }
  return { flags, data: data.join(",") };
};
