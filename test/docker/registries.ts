/** Debian's registry, which is not ours, for a test file: on a directory of its own, ended with it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execute, type Ran } from "../execute.ts";

const tools = fileURLToPath(new URL("../../build/tools/registry", import.meta.url));
const program = (name: string): string => join(tools, "usr/bin", name);

export const hasRegistry: string | false = existsSync(program("docker-registry"))
  ? false
  : "needs Debian's registry; type: sh scripts/test-packages";

const environment = {
  ...process.env,
  LD_LIBRARY_PATH: [`${tools}/lib/x86_64-linux-gnu`, `${tools}/lib/aarch64-linux-gnu`, `${tools}/lib`].join(":"),
};

/** Other people's tools for images: `skopeo`, `umoci`. */
export const tool = (name: "skopeo" | "umoci", args: readonly string[]): Promise<Ran> =>
  execute(program(name), name === "skopeo" ? ["--insecure-policy", ...args] : args, { env: environment });

/** Podman, which has no daemon, with images of its own below a directory. */
export class Podman {
  static readonly missing: string | false =
    spawnSync("podman", ["--version"]).status === 0 ? false : "needs podman; type: sh scripts/test-packages";
  readonly #words: readonly string[];
  readonly #configuration: string;

  constructor(directory: string) {
    mkdirSync(directory);
    this.#configuration = join(directory, "containers.conf");
    // Locks in shared memory would stay behind.
    writeFileSync(this.#configuration, '[engine]\nlock_type = "file"\n');
    const [root, run, tmp] = ["root", "run", "tmp"].map((name) => join(directory, name));
    const places = ["--root", root!, "--runroot", run!, "--tmpdir", tmp!, "--storage-driver", "vfs"];
    // Its default runtime refuses machines with both versions of control groups.
    this.#words = [...places, "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"];
  }

  run(args: readonly string[]): Promise<Ran> {
    const env = { ...process.env, CONTAINERS_CONF: this.#configuration };
    return execute("podman", [...this.#words, ...args], { env });
  }
}

/** One that nobody listens at. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

export interface RegistryOptions {
  /** Lines of its configuration, as YAML in one line each. */
  readonly http?: string;
  readonly auth?: string;
}

export class DebianRegistry {
  readonly directory = mkdtempSync(join(tmpdir(), "pier-registry-"));
  readonly port: number;
  #child: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  /** One that answers. */
  static async start(options: RegistryOptions = {}): Promise<DebianRegistry> {
    const registry = new DebianRegistry(await freePort());
    mkdirSync(join(registry.directory, "store"));
    const config = join(registry.directory, "config.yml");
    const lines = [
      "version: 0.1",
      "log: {level: error}",
      `storage: {filesystem: {rootdirectory: ${registry.directory}/store}, delete: {enabled: true}}`,
      `http: {addr: "127.0.0.1:${registry.port}"${options.http === undefined ? "" : `, ${options.http}`}}`,
      ...(options.auth === undefined ? [] : [`auth: ${options.auth}`]),
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    registry.#child = spawn(program("docker-registry"), ["serve", config], { stdio: "ignore" });
    await registry.#listens();
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    const child = this.#child!;
    if (child.exitCode === null) {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A server cannot be told to say when it listens: it is asked until it does. */
  async #listens(): Promise<void> {
    for (;;) {
      if (this.#child!.exitCode !== null) throw new Error("the registry ended");
      const answers = await new Promise<boolean>((resolve) => {
        const socket = connect(this.port, "127.0.0.1");
        socket.once("connect", () => resolve(true));
        socket.once("error", () => resolve(false));
        socket.once("close", () => socket.destroy());
      });
      if (answers) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
