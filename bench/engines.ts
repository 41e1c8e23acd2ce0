/** The engines that can be measured, each with its data on a disk of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nameOf, pids } from "./memory.ts";

/** One way to talk to an engine: a command with the words that come before every subcommand. */
export interface Client {
  readonly label: string;
  readonly command: string;
  readonly words: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly engine: Engine;
}

export interface Engine {
  readonly name: string;
  readonly version: string;
  /** The mounted disk that holds all its data. */
  readonly disk: string;
  /** The words before a command that make it run where the engine's host has its networks. */
  readonly onHost: readonly string[];
  /** The processes that run while no container does. */
  readonly daemons: readonly string[];
  /** The first is the one by which the engine is compared as a whole. */
  readonly clients: readonly Client[];
  stop(): Promise<void>;
}

type Launch = (disk: string, scratch: string, isAlone: boolean) => Promise<Engine>;

const isolated = fileURLToPath(new URL("../scripts/isolated", import.meta.url));
const executable = fileURLToPath(new URL("../build/pier", import.meta.url));

const has = (command: string): boolean => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
const firstLine = (command: string, args: readonly string[], env: NodeJS.ProcessEnv): string =>
  spawnSync(command, args, { env }).stdout.toString().trim().split("\n")[0] ?? "";

const end = (child: ChildProcess, signal: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", () => resolve()).kill(signal);
  });

interface Daemon {
  readonly stop: () => Promise<void>;
  readonly daemons: readonly string[];
  readonly onHost: readonly string[];
}

/** Enters the networks of the only child of this process. */
const entering = (pid: number | undefined): string[] => {
  const child = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return ["nsenter", "--target", child, "--net", "--"];
};

/**
 * Starts a daemon and asks it until it answers; its output goes to a file in the scratch directory. Alone, it is on a
 * machine of its own, so that no packet passes another engine's rules.
 */
const launchDaemon = async (
  command: string,
  args: readonly string[],
  log: string,
  isReady: () => boolean,
  isAlone: boolean,
): Promise<Daemon> => {
  const before = new Set(pids());
  const file = openSync(log, "w");
  const stdio = ["ignore" as const, file, file];
  const child = isAlone ? spawn("sh", [isolated, command, ...args], { stdio }) : spawn(command, args, { stdio });
  const giveUp = performance.now() + 30_000;
  while (!isReady()) {
    if (child.exitCode !== null || performance.now() > giveUp)
      throw new Error(`${command} does not start:\n${readFileSync(log, "utf8").slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // But for the keeper that stands by: with each container it is another one.
  const daemons = pids().filter((pid) => !before.has(pid) && nameOf(pid) !== "pier-keeper");
  // What holds the machine together takes all of it along, and hears of no gentler signal.
  if (isAlone) return { stop: () => end(child, "SIGKILL"), daemons, onHost: entering(child.pid) };
  return { stop: () => end(child, "SIGTERM"), daemons, onHost: [] };
};

const dockerClient = (engine: string, socket: string, scratch: string): Omit<Client, "engine"> => ({
  label: engine === "docker" ? "docker" : `${engine}, docker's command`,
  command: "docker",
  words: [],
  env: { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(scratch, "client") },
});

const answers = (client: Omit<Client, "engine">): boolean =>
  spawnSync(client.command, [...client.words, "version"], { env: client.env }).status === 0;

const docker: Launch = async (disk, scratch, isAlone) => {
  const socket = join(scratch, "docker.sock");
  const config = join(scratch, "daemon.json");
  writeFileSync(config, "{}");
  const client = dockerClient("docker", socket, scratch);
  const args = ["--config-file", config, "--data-root", join(disk, "docker"), "--exec-root", join(scratch, "docker")];
  const daemon = await launchDaemon(
    "dockerd",
    [...args, "--pidfile", join(scratch, "docker.pid"), "--host", `unix://${socket}`],
    join(scratch, "dockerd.log"),
    () => answers(client),
    isAlone,
  );
  const version = firstLine("docker", ["version", "--format", "{{.Server.Version}}"], client.env);
  const engine: Engine = { name: "docker", version, disk, ...daemon, clients: [] };
  return Object.assign(engine, { clients: [{ ...client, engine }] });
};

const pier: Launch = async (disk, scratch, isAlone) => {
  const run = join(scratch, "pier");
  const client = dockerClient("pier", join(run, "pier.sock"), scratch);
  const daemon = await launchDaemon(
    executable,
    ["daemon", "--root", join(disk, "pier"), "--run", run],
    join(scratch, "pier.log"),
    () => answers(client),
    isAlone,
  );
  const version = firstLine("docker", ["version", "--format", "{{.Server.Version}}"], client.env);
  const own = { label: "pier, its own command", command: executable, words: [], env: client.env };
  const engine: Engine = { name: "pier", version, disk, ...daemon, clients: [] };
  return Object.assign(engine, { clients: [client, own].filter(answers).map((each) => ({ ...each, engine })) });
};

/** Podman with a runtime that accepts this machine's control groups: crun refuses the hybrid of both versions. */
const podman: Launch = (disk, scratch) => {
  const runtime = has("runc") ? ["--runtime", "runc"] : [];
  const place = ["--root", join(disk, "podman"), "--runroot", join(scratch, "podman")];
  const words = [...place, "--cgroup-manager", "cgroupfs", "--events-backend", "file", ...runtime];
  const version = firstLine("podman", ["version", "--format", "{{.Client.Version}}"], process.env);
  const engine: Engine = {
    name: "podman",
    version,
    disk,
    onHost: [],
    daemons: [],
    clients: [],
    stop: () => Promise.resolve(),
  };
  const client = { label: "podman", command: "podman", words, env: process.env, engine };
  return Promise.resolve(Object.assign(engine, { clients: [client] }));
};

const launches: Readonly<Record<string, { readonly needs: readonly string[]; readonly launch: Launch }>> = {
  docker: { needs: ["docker", "dockerd"], launch: docker },
  podman: { needs: ["podman"], launch: podman },
  pier: { needs: ["docker", executable], launch: pier },
};

/** The names of the engines that are installed here, pier last. */
export const installed = (): string[] =>
  Object.entries(launches)
    .filter(([, { needs }]) => needs.every(has))
    .map(([name]) => name);

/** Whether the engine can be on a machine of its own: without a daemon there is nothing to be put there. */
export const canBeAlone = (name: string): boolean => name !== "podman";

/** A running engine with nothing in it; alone, on a machine of its own. */
export const launchEngine = (name: string, disk: string, scratch: string, isAlone: boolean): Promise<Engine> => {
  const known = launches[name];
  if (known === undefined)
    throw new Error(`no engine is called ${name}; there are ${Object.keys(launches).join(", ")}`);
  mkdirSync(scratch, { recursive: true });
  return known.launch(disk, scratch, isAlone);
};
