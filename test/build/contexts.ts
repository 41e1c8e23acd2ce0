/** Build contexts as values: names and what is in them. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Engine } from "../engine.ts";
import type { Ran } from "../execute.ts";

/** A file's content; a link's target; a content with a mode. */
export type Entry = string | { readonly link: string } | { readonly content: string; readonly mode: number };

export const base = "fixture/busybox:1.35";

/** A directory with these files. */
export const makeContext = (engine: Engine, files: Readonly<Record<string, Entry>>): string => {
  const directory = mkdtempSync(join(engine.directory, "context-"));
  for (const [name, entry] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof entry === "string") writeFileSync(path, entry);
    else if ("link" in entry) symlinkSync(entry.link, path);
    else {
      writeFileSync(path, entry.content);
      chmodSync(path, entry.mode);
    }
  }
  return directory;
};

/** The unmodified docker command, as it builds without BuildKit. */
export const dockerBuild = (engine: Engine, args: readonly string[], input?: Uint8Array): Promise<Ran> =>
  engine.docker(["build", ...args], { env: { DOCKER_BUILDKIT: "0" }, ...(input === undefined ? {} : { input }) });

/** What a container of the image prints. */
export const printed = async (engine: Engine, image: string, ...command: readonly string[]): Promise<string> => {
  const ran = await engine.docker(["run", "--rm", "--network", "none", image, ...command]);
  if (ran.code !== 0) throw new Error(ran.stderr);
  return ran.stdout;
};

const plugin = fileURLToPath(new URL("../../build/tools/buildx/docker-buildx", import.meta.url));

/** Why `docker build` cannot be buildx's here, or false. */
export const buildxMissing: string | false = existsSync(plugin)
  ? false
  : `${plugin} is missing; type: sh scripts/test-packages`;

/** Holds afterwards: the docker command of this engine builds with buildx. */
export const addBuildx = (engine: Engine): void => {
  const plugins = join(engine.directory, "client/cli-plugins");
  mkdirSync(plugins, { recursive: true });
  if (!existsSync(join(plugins, "docker-buildx"))) symlinkSync(plugin, join(plugins, "docker-buildx"));
};
