/** Real keepers for a test file: a holder of their own, small plans on the host's own root, and nothing left behind. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { errnoOf } from "../../src/base/errors.ts";
import { FrameDecoder } from "../../src/format/raw-stream.ts";
import { encodePlan } from "../../src/kernel/encode.ts";
import { runErrand } from "../../src/kernel/errand.ts";
import { type Holder, openHolder } from "../../src/kernel/holder.ts";
import { attachTo, type ExitReport, Keeper, type ProcessMark } from "../../src/kernel/keeper.ts";
import { namespaces } from "../../src/kernel/numbers/namespaces.ts";
import { noSlot, type Plan, type Step, stdinKinds, stdioKinds } from "../../src/kernel/steps.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
/** Another build of the keeper can be tested in its place. */
const build = join(checkout, process.env.PIER_BUILD ?? "build");
export const keeperProgram = join(build, "keeper");
/** Whether a keeper needs no more than its own memory: one that is watched by the sanitizers has theirs too. */
export const isLean = !build.endsWith("sanitized");
export const probe = join(build, "probe");

const missing = [keeperProgram, probe].find((path) => !existsSync(path));
/** Why keepers cannot run here, or false. */
export const cannotKeep: string | false =
  process.getuid?.() !== 0
    ? "needs root"
    : missing === undefined
      ? false
      : `${missing} is missing; type: sh scripts/setup keeper probe`;

export interface ContainerOptions {
  readonly stdio?: keyof typeof stdioKinds;
  readonly stdin?: keyof typeof stdinKinds;
  readonly log?: { readonly path?: string; readonly maxSize?: number; readonly maxFiles?: number };
  /** CLONE_NEW… flags; default: its own pids, so that nothing outlives its first process. */
  readonly namespaces?: number;
  readonly env?: readonly string[];
  readonly init?: boolean;
  readonly outside?: readonly Step[];
  /** Before the program is looked for. */
  readonly inside?: readonly Step[];
  readonly after?: readonly Step[];
}

/** A keeper and what it makes, which runs on the host's own files. */
export interface Container {
  readonly keeper: Keeper;
  readonly process: ProcessMark;
  readonly plan: string;
  readonly control: string;
  readonly exitFile: string;
  readonly log: string;
}

/** The exit code that a shell would tell; signals as 128 and their number. */
export const codeOf = ({ status }: ExitReport): number => ((status & 0x7f) === 0 ? status >> 8 : 128 + (status & 0x7f));

/** What comes out of an attached stream, to its end. */
export class Client {
  readonly socket: Socket;
  readonly stdout: Buffer[] = [];
  readonly stderr: Buffer[] = [];
  /** The stream has ended. */
  readonly ended: Promise<void>;
  readonly #listeners = new Set<() => void>();

  constructor(socket: Socket, raw = false) {
    this.socket = socket;
    const decoder = new FrameDecoder();
    socket.on("data", (chunk: Buffer) => {
      if (raw) this.stdout.push(chunk);
      else
        for (const { stream, data } of decoder.push(chunk)) this[stream as "stdout" | "stderr"].push(Buffer.from(data));
      for (const listener of this.#listeners) listener();
    });
    socket.on("error", () => {});
    // However it ends: one that was cut off before all was read has an error first, which nobody waits for.
    this.ended = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("end", () => socket.end());
    socket.resume();
  }

  get text(): string {
    return Buffer.concat(this.stdout).toString();
  }

  /** Standard output has this in it. */
  said(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!this.text.includes(text)) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
      this.socket.once("close", () => reject(new Error(`the stream ended without ${text}: ${this.text}`)));
      look();
    });
  }
}

/** One may die of another's end. */
const killIfThere = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
};

export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

const statOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return "";
  }
};

const zombies = (): number[] => childrenOf(process.pid).filter((pid) => /\) Z /.test(statOf(pid)));

// The end of a process that is nobody's child here is told by nobody: it is looked for.
export const until = async (holds: () => boolean, complaint: () => string): Promise<void> => {
  const end = performance.now() + 5_000;
  while (!holds()) {
    assert.ok(performance.now() < end, complaint());
    await new Promise((resolve) => setImmediate(resolve));
  }
};

/** No process has this number any more, but as a zombie. */
export const gone = (pid: number): Promise<void> =>
  until(
    () => /^$|\) [ZX] /.test(statOf(pid)),
    () => `process ${pid} is still there`,
  );

/** What there is in /proc/<pid>/fd, by number. */
export const descriptorsOf = (pid: number): Map<number, string> =>
  new Map(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [[Number(fd), execFileSync("readlink", [`/proc/${pid}/fd/${fd}`], { encoding: "utf8" }).trim()]];
      } catch {
        return [];
      }
    }),
  );

/** The parent of a process: of a container's first one, its keeper. */
export const parentOf = (pid: number): number =>
  Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** A named pipe: it is read to its end, and its end is the end of all who have it open. */
export const makePipe = (path: string): string => {
  execFileSync("mkfifo", [path]);
  return path;
};

export const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export class Keepers implements AsyncDisposable {
  readonly directory: string;
  readonly holder: Holder;
  readonly #containers: Container[] = [];
  #count = 0;

  private constructor(directory: string, holder: Holder) {
    this.directory = directory;
    this.holder = holder;
  }

  static async open(): Promise<Keepers> {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), "pier-keepers-")));
    return new Keepers(directory, await openHolder(keeperProgram, join(directory, "holder")));
  }

  /** A path that nobody uses yet. */
  path(name: string): string {
    return join(this.directory, `${this.#count++}-${name}`);
  }

  /** Writes a plan and starts a keeper on it. */
  launch(plan: Plan): Keeper {
    return this.launchBytes(encodePlan(plan));
  }

  launchBytes(bytes: Uint8Array): Keeper {
    const path = this.path("plan");
    writeFileSync(path, bytes);
    return Keeper.launch(this.holder, path);
  }

  errand(plan: Partial<Plan>): Promise<Keeper> {
    return runErrand(this.holder, this.directory, { outside: [], inside: [], after: [], ...plan });
  }

  /** Runs the steps in a child in a mount namespace of its own. */
  inside(steps: readonly Step[], outside: readonly Step[] = []): Promise<Keeper> {
    const clone: Step = { step: "clone", namespaces: namespaces.mount.flag, cgroup: noSlot };
    const apart: Step = { step: "setPropagation", path: "/", flags: 0x44000 /* MS_REC | MS_PRIVATE */ };
    return this.errand({ outside: [...outside, clone], inside: [apart, ...steps] });
  }

  planContainer(
    args: readonly string[],
    options: ContainerOptions,
    place: Omit<Container, "keeper" | "process">,
  ): Plan {
    const { log, init = false } = options;
    return {
      outside: [
        { step: "listen", path: place.control },
        { step: "exitTo", path: place.exitFile },
        ...(log === undefined
          ? []
          : [{ step: "logTo", path: place.log, maxSize: log.maxSize ?? 0, maxFiles: log.maxFiles ?? 1 } as const]),
        {
          step: "stdio",
          kind: stdioKinds[options.stdio ?? "pipes"],
          stdin: stdinKinds[options.stdin ?? "none"],
        },
        ...(options.outside ?? []),
        { step: "clone", namespaces: options.namespaces ?? namespaces.pid.flag, cgroup: noSlot },
      ],
      inside: [
        { step: "dieWithParent" },
        { step: "openRoot", path: "/" },
        ...(options.inside ?? []),
        ...(options.stdio === "terminal" ? [{ step: "terminal", console: 0, rows: 24, columns: 80 } as const] : []),
        { step: "findProgram", candidates: [args[0]!] },
        { step: "start" },
        { step: "closeDescriptors" },
        { step: "exec", args, env: options.env ?? ["PATH=/usr/bin:/bin"], init: init ? 1 : 0 },
      ],
      after: options.after ?? [],
    };
  }

  /** Prepares a container up to its commit point. */
  async create(args: readonly string[], options: ContainerOptions = {}): Promise<Container> {
    const place = {
      plan: this.path("plan"),
      control: this.path("control"),
      exitFile: this.path("exit"),
      log: options.log?.path ?? this.path("log"),
    };
    writeFileSync(place.plan, encodePlan(this.planContainer(args, options, place)));
    const keeper = Keeper.launch(this.holder, place.plan);
    const container = { ...place, keeper, process: await keeper.created };
    this.#containers.push(container);
    return container;
  }

  /** A container that runs. */
  async run(args: readonly string[], options: ContainerOptions = {}): Promise<Container> {
    const container = await this.create(args, options);
    await container.keeper.start();
    return container;
  }

  /** What a container says, from its first byte, and how it ends. */
  async output(args: readonly string[], options: ContainerOptions = {}): Promise<{ text: string; code: number }> {
    const container = await this.create(args, options);
    const client = await this.attach(container);
    await container.keeper.start();
    const report = await container.keeper.exited;
    await client.ended;
    return { text: client.text + Buffer.concat(client.stderr).toString(), code: codeOf(report) };
  }

  async attach(container: Container, streams: { stdin?: boolean; raw?: boolean } = {}): Promise<Client> {
    const { stdin = false, raw = false } = streams;
    return new Client(await attachTo(container.control, { stdin, stdout: true, stderr: true }), raw);
  }

  /** Keepers and their containers had no time to say goodbye. */
  killKeepers(): void {
    for (const pid of this.#ours()) killIfThere(pid);
  }

  /** Nothing of what was begun is there any more, and no process of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#containers.map((container) => this.#end(container)));
    killIfThere(this.holder.pid);
    await Promise.all(this.#ours().map((pid) => gone(pid)));
    await until(
      () => zombies().length === 0,
      () => `zombies are left: ${zombies().join(" ")}`,
    );
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(this.directory), "a mount was left on the host");
    rmSync(this.directory, { recursive: true });
  }

  async #end({ keeper, control, process: mark }: Container): Promise<void> {
    const alive = await Keeper.connect(control).catch(() => undefined);
    if (alive !== undefined) {
      const { phase } = await alive.hello();
      if (phase !== "exited") await alive.signal(9);
      keeper.leave();
      await alive.closed;
    }
    await gone(mark.pid);
  }

  /** Keepers and containers of this directory: their plans are in it. */
  #ours(): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(Number)
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(this.directory);
        } catch {
          return false;
        }
      });
  }
}
