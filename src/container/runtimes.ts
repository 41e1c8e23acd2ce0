/** Who makes containers: our own keeper, or a program of the host's that has the commands of runc. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { containerError } from "./errors.ts";

/** The name of our own way, which is no program's. */
export const ownRuntime = "pier";
/** Known without being named, as in Docker. */
const usual = "runc";

/** A name that dockerd or we give a meaning of our own. */
export const isReservedRuntime = (name: string): boolean => name === ownRuntime || name === usual;

export interface RuntimeProgram {
  /** With a slash where it lies; without, a name that is looked for in PATH. */
  readonly path: string;
  /** What stands before the command's own words. */
  readonly args: readonly string[];
}

export interface RuntimeSettings {
  readonly programs: ReadonlyMap<string, RuntimeProgram>;
  /** Of containers that name none. */
  readonly default: string;
}

/** Where the host's programs are looked for: root's, whoever started us. */
export const programPath = (path: string | undefined): string =>
  [path ?? "", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"].filter((part) => part !== "").join(":");

export class Runtimes {
  #settings: RuntimeSettings;

  constructor(settings: RuntimeSettings) {
    this.#settings = settings;
  }

  /** Holds afterwards: these are the runtimes, for containers that are made or started from now on. */
  change(settings: RuntimeSettings): void {
    this.#settings = settings;
  }

  get default(): string {
    return this.#settings.default;
  }

  /** All that can be named but our own. */
  list(): ReadonlyMap<string, RuntimeProgram> {
    return new Map([[usual, { path: usual, args: [] }], ...this.#settings.programs]);
  }

  /** The runtime of a container that asks for this one; undefined for our own way. */
  choose(asked: string | undefined): string | undefined {
    const name = asked ?? this.#settings.default;
    if (name === ownRuntime) return undefined;
    this.#get(name);
    return name;
  }

  /** Its program as it lies on the disk now. */
  locate(name: string, path: string): RuntimeProgram {
    const program = this.#get(name);
    if (program.path.includes("/")) return program;
    const found = path
      .split(":")
      .map((directory) => join(directory, program.path))
      .find(isExecutable);
    if (found === undefined) throw containerError("runtimeMissing", { program: program.path });
    return { ...program, path: found };
  }

  #get(name: string): RuntimeProgram {
    const program = this.list().get(name);
    if (program === undefined) throw containerError("unknownRuntime", { name });
    return program;
  }
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
