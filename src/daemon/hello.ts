/** The image `hello`: built in, so that the first container needs no network; and what it is told of the machine. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { availableParallelism, hostname, networkInterfaces, release, totalmem } from "node:os";
import { join } from "node:path";
import type { ImageId } from "../base/ids.ts";
import { writeTar } from "../format/tar/write.ts";
import type { ImageService } from "./services.ts";

export const helloName = "hello:latest";

const label = "io.pier.hello";

/** What `import` is to change in the image's configuration; the label tells the program of one build from another's. */
export const helloChanges = (program: Uint8Array): readonly string[] => [
  'ENTRYPOINT ["/hello"]',
  `LABEL ${label}=${digestOf(program)}`,
];

const digestOf = (program: Uint8Array): string => createHash("sha256").update(program).digest("hex");

/**
 * Holds afterwards: there is an image of that name: ours, with the program of this build, unless somebody has given the
 * name to another. Answers the id of ours.
 */
export const openHello = async (images: ImageService, directory: string): Promise<ImageId | undefined> => {
  const program = await readFile(join(directory, "hello"));
  const known = images.find(helloName);
  const made = known?.config.Labels?.[label];
  if (known !== undefined && made === digestOf(program)) return known.id;
  if (known !== undefined && made === undefined) return undefined;
  return images.importRoot(helloRoot(program), { name: helloName, changes: helloChanges(program) });
};

const none = new Uint8Array();

/** The image's root file system as a tar archive: one static program, which lies beside the running executable. */
export async function* helloRoot(program: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* writeTar([
    {
      header: {
        path: Buffer.from("hello"),
        type: "file",
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: { seconds: 0n, nanoseconds: 0 },
        size: program.length,
        link: none,
        major: 0,
        minor: 0,
        xattrs: new Map(),
      },
      content: [program],
    },
  ]);
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** "eth0 192.0.2.2, lo": as the program itself writes its own. */
const interfaces = (): string => {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, all = []]) =>
    all
      .filter(({ family, internal }) => family === "IPv4" && !internal)
      .slice(0, 1)
      .map(({ address }) => `${name} ${address}`),
  );
  return [...addresses, "lo"].join(", ");
};

/** The type of the file system that is mounted at the root, from the lines of mountinfo. */
const rootType = (mounts: readonly string[]): string =>
  mounts
    .filter((line) => line.split(" ")[4] === "/")
    .at(-1)
    ?.split(" - ")[1]
    ?.split(" ")[0] ?? "";

/** The machine as this process sees it, as environment variables for a container of the image `hello`. */
export const hostFacts = async (): Promise<string[]> => {
  const [processes, names, mountinfo, status] = await Promise.all([
    readdir("/proc"),
    readdir("/"),
    readFile("/proc/self/mountinfo", "utf8"),
    readFile("/proc/self/status", "utf8"),
  ]);
  const mounts = mountinfo.split("\n").filter((line) => line !== "");
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";
  const user = process.geteuid?.() ?? 0;
  const facts: Readonly<Record<string, string | number>> = {
    PROCESSES: processes.filter((name) => /^\d+$/.test(name)).length,
    NAME: hostname(),
    INTERFACES: interfaces(),
    MOUNTS: mounts.length,
    ROOT: `${rootType(mounts)}, ${names.filter((name) => !name.startsWith(".")).length} names in /`,
    MEMORY: gibibytes(totalmem()),
    PROCESSORS: availableParallelism(),
    USER: user === 0 ? "root (uid 0)" : `uid ${user}`,
    CAPABILITIES: field("CapEff"),
    SYSTEM_CALLS: field("Seccomp") === "0" ? "all" : "filtered by seccomp",
    KERNEL: release(),
  };
  return Object.entries(facts).map(([name, value]) => `PIER_HOST_${name}=${value}`);
};
