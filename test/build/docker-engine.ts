/** Docker itself, beside which builds are compared: a daemon of its own on directories of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ExecuteOptions, execute, type Ran } from "../execute.ts";

/** Where scripts/test-packages --dockerd puts it. */
const place = fileURLToPath(new URL("../../build/tools/dockerd/", import.meta.url));
const program = join(place, "usr/sbin/dockerd");

export const buildx = fileURLToPath(new URL("../../build/tools/buildx/docker-buildx", import.meta.url));

/** Why it cannot run here, or false. */
export const cannotRunDocker = (): string | false =>
  existsSync(program) ? false : `${program} is missing; type: sh scripts/test-packages --dockerd`;

export class DockerEngine {
  readonly directory = mkdtempSync("/tmp/p-docker-");
  readonly #socket = join(this.directory, "docker.sock");
  #daemon: ChildProcess | undefined;

  /** A daemon that answers. */
  static async launch(): Promise<DockerEngine> {
    const engine = new DockerEngine();
    await engine.#start();
    return engine;
  }

  async #start(): Promise<void> {
    const { directory } = this;
    mkdirSync(join(directory, "client/cli-plugins"), { recursive: true });
    copyFileSync(buildx, join(directory, "client/cli-plugins/docker-buildx"));
    const log = openSync(join(directory, "log"), "w");
    const words = ["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")];
    const PATH = `${place}usr/bin:${place}usr/sbin:${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
    this.#daemon = spawn(program, [...words, "--pidfile", join(directory, "pid"), "--host", `unix://${this.#socket}`], {
      env: { ...process.env, PATH },
      stdio: ["ignore", log, log],
    });
    // It says nowhere else that it is ready.
    const giveUp = Date.now() + 60_000;
    while ((await this.docker(["version"])).code !== 0) {
      if (this.#daemon.exitCode !== null || Date.now() > giveUp)
        throw new Error(`dockerd does not start: ${directory}/log`);
    }
  }

  docker(args: readonly string[], options: ExecuteOptions = {}): Promise<Ran> {
    const env = { DOCKER_HOST: `unix://${this.#socket}`, DOCKER_CONFIG: join(this.directory, "client"), NO_COLOR: "1" };
    return execute("docker", args, { ...options, env: { ...process.env, ...env, ...options.env } });
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon !== undefined && daemon.exitCode === null) {
      const ended = new Promise((resolve) => daemon.once("exit", resolve));
      daemon.kill("SIGTERM");
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
