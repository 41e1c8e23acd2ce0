/** A pier of its own for a test file: a daemon on directories of its own, the clients pointed at it, and its end. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ExecuteOptions, execute, type Ran } from "./execute.ts";
import { assertNoLeaks, type LeakScope, type LeakSet, leakSet } from "./kernel/leaks.ts";
import { patience } from "./patience.ts";
import { checkAnswer } from "./reference.ts";

const checkout = fileURLToPath(new URL("..", import.meta.url));
/** Where the programs under test lie; PIER_BUILD names those with another keeper, from the checkout on. */
export const build = join(checkout, process.env.PIER_BUILD ?? "build");
export const executable = join(build, "pier");
const tools = join(checkout, "build/tools/docker/usr/bin");

/** What runs when pier is asked for: the executable, or with PIER_RUNTIME=node its sources on Node, the second runtime. */
const pier: readonly [string, ...string[]] =
  process.env.PIER_RUNTIME === "node"
    ? [join(checkout, "build/tools/node"), join(checkout, "src/main.ts")]
    : [executable];

/** PIER_DEFAULT_RUNTIME=runc sh scripts/test ./test/docker runs the containers of every test with it. */
const defaultRuntime = process.env.PIER_DEFAULT_RUNTIME || undefined;
const runtimeWords = (name: string): readonly string[] => [
  ...(name === "runc" ? [] : ["--add-runtime", `${name}=${name}`]),
  ...["--default-runtime", name],
];

/** The path of an image or archive among the fixtures, which lie beside the checkout. */
export const fixture = (name: string): string => join(checkout, "../shared/fixtures", name);

const path = `${tools}${delimiter}${process.env.PATH ?? ""}`;
const isOnPath = (program: string): boolean =>
  path.split(delimiter).some((directory) => existsSync(join(directory, program)));

/** Why tests with containers cannot run here, or false: for `describe(…, { skip: cannotRun() }, …)`. */
export const cannotRun = (...fixtures: readonly string[]): string | false => {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync(executable)) return "build/pier is missing; type: npm run build";
  if (!existsSync(join(checkout, "build/probe"))) return "build/probe is missing; type: sh scripts/setup probe";
  if (!isOnPath("docker")) return "needs the docker command; type: sh scripts/test-packages";
  const absent = ["busybox.docker-archive.tar", ...fixtures].find((name) => !existsSync(fixture(name)));
  return absent === undefined ? false : `${fixture(absent)} is missing`;
};

// A test run that is interrupted leaves no daemon behind.
const daemons = new Set<ChildProcess>();
process.once("exit", () => {
  for (const daemon of daemons) daemon.kill("SIGKILL");
});

export interface EngineOptions {
  /** How layers are mounted; default: as the environment says, or what works best. */
  readonly layerFormat?: string;
  /** The run directory lies in memory, as /run does on most machines; otherwise beside the root. */
  readonly runInMemory?: boolean;
  /** Where clients may connect beside the socket. */
  readonly hosts?: readonly string[];
  /** More words for `pier daemon`. */
  readonly args?: readonly string[];
  /** What is run as `pier` to be the daemon; default: the executable. */
  readonly command?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** A directory that the daemon finds open, as descriptors 41 and 42. */
  readonly inherited?: string;
  /** A file system of its own for the root: what mount(8) is told before the place. */
  readonly disk?: readonly string[];
  /** A program that becomes the daemon in its end: it is given the daemon's words. */
  readonly via?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Whether the reference is about it: JSON, and of the version that it describes. */
const isCurrent = (target: string, headers: IncomingHttpHeaders): boolean =>
  headers["content-type"] === "application/json" && /^\/(v1\.51\/|(?!v\d))/.test(target);

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
const endOf = (child: ChildProcess): Promise<void> =>
  ended(child) ? Promise.resolve() : new Promise((resolve) => child.once("exit", () => resolve()));

const within = async <T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** The elements of the packet filter that are a container's. */
const isOfPorts = /^element .* (published|publishedAt|loopback)$/;

export class Engine {
  /** Short, because the path of a unix socket has at most 107 bytes. */
  readonly directory = mkdtempSync("/tmp/p-");
  readonly root = join(this.directory, "root");
  readonly run: string;
  readonly socket: string;
  readonly log = join(this.directory, "daemon.log");
  /** How the next daemon mounts layers: PIER_LAYER_FORMAT=loop sh scripts/test ./test/docker runs every test on one way. */
  layerFormat: string | undefined;
  readonly #options: EngineOptions;
  /** The control group above those of its containers. */
  readonly #group: string;
  /** Keeps connections for the next request; whatever is looked at for leaks must have none of them. */
  readonly #agent = new Agent({ keepAlive: true });
  #daemon: ChildProcess | undefined;
  /** Before the daemon was there, and before it had containers. */
  readonly #machine: LeakSet;
  #before: LeakSet = {};

  private constructor(options: EngineOptions) {
    this.#options = options;
    this.layerFormat = options.layerFormat ?? (process.env.PIER_LAYER_FORMAT || undefined);
    this.run = options.runInMemory === true ? mkdtempSync("/dev/shm/p-") : join(this.directory, "run");
    this.socket = join(this.run, "pier.sock");
    const name = createHash("sha256").update(this.run).digest("hex").slice(0, 5);
    this.#group = `pier-pr${name}`;
    this.#machine = leakSet(this.#ended);
  }

  /** A daemon that answers. */
  static async launch(options: EngineOptions = {}): Promise<Engine> {
    const engine = new Engine(options);
    try {
      if (options.disk !== undefined) {
        mkdirSync(engine.root, { mode: 0o700 });
        execFileSync("mount", [...options.disk, engine.root]);
      }
      await engine.restart();
      // The first requests make the daemon open what it then keeps: they must not look like leaks.
      await engine.docker(["ps", "--all"]);
      await engine.docker(["images"]);
      engine.#before = leakSet(engine.#scope());
      return engine;
    } catch (error) {
      await engine.#remove();
      throw error;
    }
  }

  /** The daemon's process id. */
  get pid(): number {
    const pid = this.#daemon?.pid;
    if (pid === undefined || this.#daemon === undefined || ended(this.#daemon)) throw new Error("no daemon runs");
    return pid;
  }

  /** For children of a test's own: clients find this engine through it. */
  get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PATH: path,
      DOCKER_HOST: `unix://${this.socket}`,
      DOCKER_CONFIG: join(this.directory, "client"),
      NO_COLOR: "1",
    };
  }

  /** The unmodified docker command. */
  docker(args: readonly string[], options: ExecuteOptions = {}): Promise<Ran> {
    return execute("docker", args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** Our own command. */
  pier(args: readonly string[], options: ExecuteOptions = {}): Promise<Ran> {
    return execute(pier[0], [...pier.slice(1), ...args], { ...options, env: { ...this.env, ...options.env } });
  }

  /** A client that goes on running beside the test, with three pipes. */
  spawn(client: "docker" | "pier", args: readonly string[]): ChildProcess {
    const [program, ...words] = client === "docker" ? ["docker"] : pier;
    return spawn(program!, [...words, ...args], { env: this.env, stdio: "pipe" });
  }

  /** A bare request, for what no client would say. */
  request(
    method: string,
    target: string,
    body?: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
      const agent = this.#agent;
      const options = { socketPath: this.socket, agent, method, path: target, headers: { ...type, ...headers } };
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const [status, body] = [response.statusCode ?? 0, Buffer.concat(chunks).toString()];
          try {
            if (isCurrent(target, response.headers)) checkAnswer(method, target, status, body);
            resolve({ status, headers: response.headers, body });
          } catch (error) {
            reject(error as Error);
          }
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  /** The fixture of this name, or the archive itself, is among the images. */
  async load(archive: string | Uint8Array = "busybox.docker-archive.tar"): Promise<void> {
    const isName = typeof archive === "string";
    const ran = await (isName
      ? this.docker(["load", "--input", fixture(archive)])
      : this.docker(["load"], { input: archive }));
    if (ran.code !== 0) throw new Error(`an image could not be loaded: ${ran.stderr}\n${this.#said()}`);
  }

  /** The daemon is dead, and had no time to say goodbye. */
  async kill9(): Promise<void> {
    const daemon = this.#daemon;
    daemon?.kill("SIGKILL");
    if (daemon !== undefined) await endOf(daemon);
  }

  /** A daemon, maybe of another build, runs on the same directories; one that still ran was killed. */
  async restart(command: readonly string[] = this.#options.command ?? pier): Promise<void> {
    await this.kill9();
    const log = openSync(this.log, "a");
    const format = this.layerFormat === undefined ? [] : ["--layer-format", this.layerFormat];
    const runtime = defaultRuntime === undefined ? [] : runtimeWords(defaultRuntime);
    const places = ["--root", this.root, "--run", this.run];
    const hosts = this.#options.hosts === undefined ? [] : [`unix://${this.socket}`, ...this.#options.hosts];
    const own = [...places, ...format, ...runtime, ...hosts.flatMap((host) => ["--host", host])];
    const words = [...(this.#options.via ?? []), ...command, "daemon", ...own, ...(this.#options.args ?? [])];
    const [program = executable, ...args] = words;
    const env = { ...process.env, PATH: path, ...this.#options.env, PIER_READY_FD: "3" };
    const inherited = this.#options.inherited === undefined ? undefined : openSync(this.#options.inherited, "r");
    const further = inherited === undefined ? [] : [...Array<"ignore">(37).fill("ignore"), inherited, inherited];
    const daemon = spawn(program, args, { env, stdio: ["ignore", log, log, "pipe", ...further] });
    for (const descriptor of [log, inherited]) if (descriptor !== undefined) closeSync(descriptor);
    this.#daemon = daemon;
    daemons.add(daemon);
    daemon.once("exit", () => daemons.delete(daemon));
    try {
      await within(patience(20_000), "the daemon is ready", this.#ready(daemon));
    } catch (error) {
      daemon.kill("SIGKILL");
      throw new Error(`${sentenceOf(error)}\n${this.#said()}`, { cause: error });
    }
  }

  /** A daemon of another build has rules and a listener of its own, which are no leak; what its containers have still is. */
  acceptBuild(): void {
    const now = leakSet(this.#scope());
    const rules = [...(now.rules ?? [])].filter(([name]) => !isOfPorts.test(name));
    const keepers = [...(now.keepers ?? [])].filter(([name]) => name.startsWith("listener "));
    const { rules: oldRules = [], keepers: oldKeepers = [] } = this.#before;
    this.#before = {
      ...this.#before,
      rules: new Map([...oldRules, ...rules]),
      keepers: new Map([...oldKeepers, ...keepers]),
    };
  }

  /** The root is on another disk, and a daemon runs on it. */
  async changeDisk(disk: readonly string[]): Promise<void> {
    await this.kill9();
    await this.#removeDisk();
    execFileSync("mount", [...disk, this.root]);
    await this.restart();
    this.#before = leakSet(this.#scope());
  }

  /** Nothing is left of the containers that are gone; fails by naming what was left. */
  assertNothingLeft(): Promise<void> {
    // Idle ones would be closed after five seconds, which is as long as leaks are waited for.
    this.#agent.destroy();
    return assertNoLeaks(this.#before, this.#scope());
  }

  /** Nothing is left of it: no container, no process, no mount, no file. Fails by naming what was left. */
  async stop(): Promise<void> {
    let refusal = "";
    try {
      if (this.#daemon === undefined || ended(this.#daemon)) await this.restart();
      refusal = await this.#removeContainers();
      await this.assertNothingLeft();
      this.#daemon?.kill("SIGTERM");
      if (this.#daemon !== undefined)
        await within(patience(15_000), "the daemon ends after SIGTERM", endOf(this.#daemon));
      await this.#removeDisk();
      await assertNoLeaks(this.#machine, this.#ended);
    } catch (error) {
      throw new Error(`${sentenceOf(error)}\n${refusal}${this.#said()}`, { cause: error });
    } finally {
      await this.#remove();
    }
  }

  async #remove(): Promise<void> {
    await this.kill9();
    await this.#removeDisk();
    for (const directory of [this.run, this.directory]) rmSync(directory, { recursive: true, force: true });
  }

  async #removeDisk(): Promise<void> {
    if (this.#options.disk !== undefined) await execute("umount", ["--lazy", this.root]);
  }

  /** What was said against it: some go by themselves meanwhile, and what else stays is found as a leak. */
  async #removeContainers(): Promise<string> {
    const { stdout, stderr } = await this.docker(["ps", "--all", "--quiet", "--no-trunc"]);
    const ids = stdout.split("\n").filter((id) => id !== "");
    return ids.length === 0 ? stderr : (await this.docker(["rm", "--force", "--volumes", ...ids])).stderr;
  }

  #ready(daemon: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const pipe = daemon.stdio[3];
      pipe?.once("data", () => {
        pipe.destroy();
        resolve();
      });
      daemon.once("error", reject);
      daemon.once("exit", (code, signal) => reject(new Error(`the daemon ended with ${code ?? signal}`)));
    });
  }

  /** What is left when nothing of the engine runs any more. */
  get #ended(): LeakScope {
    return { group: this.#group, loopsBelow: this.directory };
  }

  #scope(): LeakScope {
    // Not all of <run>, nor the devices of layers: a layer stays mounted while its image is there.
    const containers = join(this.root, "containers");
    const directories = [containers, join(this.root, "volumes"), join(this.run, "c")];
    return { directories, daemon: this.pid, group: this.#group, loopsBelow: containers };
  }

  #said(): string {
    return existsSync(this.log) ? `the daemon said:\n${readFileSync(this.log, "utf8").slice(-4000)}` : "";
  }
}
