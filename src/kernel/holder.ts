/**
 * The holder: a process that keeps the sealed program which all keepers of a build are started from, and the mount
 * namespace in which the store mounts its layers. It outlives daemons; the next one finds it by `<run>/holder`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { errorsFrom } from "../base/errors.ts";
import { kernelErrors } from "./errors.ts";

const kernelError = errorsFrom(kernelErrors);

export interface Holder {
  readonly pid: number;
  readonly startTime: number;
  /** What keepers are started from. */
  readonly program: string;
  /** The store's mount namespace. */
  readonly namespace: string;
  /** The digest of the program. */
  readonly build: string;
}

// Files of the kernel and of `<run>` are read as they are: in the time that a thread takes to be asked they are read.
const readOrNothing = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
};

/** Clock ticks since boot at which a process began (man 5 proc, field 22 of stat); undefined when none lives. */
export const startTimeOf = (pid: number): number | undefined => {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // A dead one that its parent has not noticed yet is there all the same.
  if (fields[19] === undefined || /[ZX]/.test(fields[0] ?? "")) return undefined;
  return Number(fields[19]);
};

const isHolder = (value: unknown): value is Holder =>
  typeof value === "object" &&
  value !== null &&
  "pid" in value &&
  typeof value.pid === "number" &&
  "startTime" in value &&
  typeof value.startTime === "number" &&
  "program" in value &&
  typeof value.program === "string" &&
  "namespace" in value &&
  typeof value.namespace === "string" &&
  "build" in value &&
  typeof value.build === "string";

// A machine that went down while the file was written leaves anything there: then there is no holder either.
const parseOrNothing = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The holder that an earlier daemon left, if it still lives. */
const findHolder = async (file: string): Promise<Holder | undefined> => {
  const text = await readFile(file, "utf8").catch(() => "null");
  const value = parseOrNothing(text);
  if (!isHolder(value)) return undefined;
  return startTimeOf(value.pid) === value.startTime ? value : undefined;
};

const firstLine = (child: ChildProcess, pipe: Duplex): Promise<string | undefined> =>
  new Promise((resolve) => {
    let text = "";
    pipe.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    pipe.on("end", () => resolve(undefined));
    pipe.on("error", () => resolve(undefined));
    child.on("error", () => resolve(undefined));
  });

/** A holder, and the connection on which it waits to be told that it is kept. */
const launchHolder = async (
  keeperPath: string,
  build: string,
  earlier: Holder | undefined,
): Promise<{ readonly holder: Holder; readonly pipe: Duplex }> => {
  const child = spawn(keeperPath, ["--hold", ...(earlier === undefined ? [] : [earlier.namespace])], {
    cwd: "/",
    env: {},
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  child.unref();
  const pipe = child.stdio[3] as Duplex;
  const line = await firstLine(child, pipe);
  const [pid, startTime, descriptor] = (line ?? "").split(" ").map(Number);
  if (pid === undefined || startTime === undefined || descriptor === undefined) {
    throw kernelError("keeperMissing", { path: keeperPath });
  }
  const process = `/proc/${pid}`;
  const program = `${process}/fd/${descriptor}`;
  return { holder: { pid, startTime, program, namespace: `${process}/ns/mnt`, build }, pipe };
};

/** A holder that is written down nowhere: it is gone, and its namespace with it, when it is let go or when we end. */
export const borrowHolder = async (
  keeperPath: string,
): Promise<{ readonly holder: Holder; readonly letGo: () => void }> => {
  const { holder, pipe } = await launchHolder(keeperPath, "", undefined);
  return { holder, letGo: () => pipe.destroy() };
};

/** Somebody may have been faster, and somebody else may have its number. */
const killHolder = async ({ pid, startTime }: Holder): Promise<void> => {
  if (startTimeOf(pid) === startTime) process.kill(pid, "SIGKILL");
};

/**
 * Holds afterwards: a holder of this very keeper lives, and `file` names it. Where an earlier holder lives, its
 * namespace is kept; one of another build is let go.
 */
export const openHolder = async (keeperPath: string, file: string): Promise<Holder> => {
  const program = await readFile(keeperPath).catch((cause: unknown) => {
    throw kernelError("keeperMissing", { path: keeperPath }, cause);
  });
  const build = createHash("sha256").update(program).digest("hex");
  const earlier = await findHolder(file);
  if (earlier?.build === build) return earlier;
  const { holder, pipe } = await launchHolder(keeperPath, build, earlier);
  try {
    await writeFile(`${file}.new`, JSON.stringify(holder), { mode: 0o600 });
    await rename(`${file}.new`, file);
    pipe.end("\n");
  } catch (error) {
    pipe.destroy();
    throw error;
  }
  if (earlier !== undefined) await killHolder(earlier);
  return holder;
};

/** Where a daemon's holder is named. */
export const holderFile = (run: string): string => join(run, "holder");

/** Holds afterwards: the holder is gone, and with it the namespace, as soon as nobody else is in it. */
export const closeHolder = async (holder: Holder, file: string): Promise<void> => {
  await rm(file, { force: true });
  await killHolder(holder);
};

/** The holder of a daemon's life: whoever kills the process gets it a successor, which is found here from then on. */
export class Holding implements Holder {
  readonly #keeperPath: string;
  readonly #file: string;
  #current: Holder;
  #waking: Promise<void> | undefined;

  private constructor(keeperPath: string, file: string, current: Holder) {
    this.#keeperPath = keeperPath;
    this.#file = file;
    this.#current = current;
  }

  static async open(keeperPath: string, file: string): Promise<Holding> {
    return new Holding(keeperPath, file, await openHolder(keeperPath, file));
  }

  /** The file that the sealed program was read from. */
  get file(): string {
    return this.#keeperPath;
  }
  get pid(): number {
    return this.#current.pid;
  }
  get startTime(): number {
    return this.#current.startTime;
  }
  get program(): string {
    return this.#current.program;
  }
  get namespace(): string {
    return this.#current.namespace;
  }
  get build(): string {
    return this.#current.build;
  }

  /** Holds afterwards: the holder lives. When it is another one, nothing is mounted in its namespace yet. */
  wake(): Promise<void> {
    this.#waking ??= this.#wake().finally(() => {
      this.#waking = undefined;
    });
    return this.#waking;
  }

  async #wake(): Promise<void> {
    const { pid, startTime } = this.#current;
    if (startTimeOf(pid) === startTime) return;
    this.#current = await openHolder(this.#keeperPath, this.#file);
  }
}
