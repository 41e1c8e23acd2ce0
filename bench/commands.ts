/** Commands of a client, timed. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import type { Client } from "./engines.ts";

const fail = (client: Client, args: readonly string[], said: string): never => {
  throw new Error(`${client.label}: ${args.join(" ")}: ${said.trim()}`);
};

/** Standard output of a command that succeeds. */
export const ask = (client: Client, ...args: string[]): string => {
  const ran = spawnSync(client.command, [...client.words, ...args], { env: client.env, maxBuffer: 2 ** 26 });
  if (ran.status !== 0) fail(client, args, ran.stderr?.toString() ?? String(ran.error));
  return ran.stdout.toString();
};

/** Milliseconds that the work took. */
export const timed = (work: () => void): number => {
  const start = performance.now();
  work();
  return performance.now() - start;
};

/** Milliseconds from the start of a command to its end; its output goes nowhere. */
export const time = (client: Client, ...args: string[]): number => {
  const start = performance.now();
  const ran = spawnSync(client.command, [...client.words, ...args], {
    env: client.env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const took = performance.now() - start;
  if (ran.status !== 0) fail(client, args, ran.stderr?.toString() ?? String(ran.error));
  return took;
};

/** Milliseconds until `wc` has read all that the command wrote, which must be this much (`-c`: bytes, `-l`: lines). */
export const timeOutput = (client: Client, unit: "-c" | "-l", expected: number, ...args: string[]): number => {
  const start = performance.now();
  const words = ["-c", '"$@" | wc "$0"', unit, client.command, ...client.words, ...args];
  const ran = spawnSync("sh", words, { env: client.env, stdio: ["ignore", "pipe", "pipe"] });
  const took = performance.now() - start;
  const count = Number(ran.stdout.toString());
  if (count !== expected) fail(client, args, `${count} instead of ${expected} came through ${ran.stderr.toString()}`);
  return took;
};

const run = (client: Client, args: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(client.command, [...client.words, ...args], {
      env: client.env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const said: Buffer[] = [];
    child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${client.label}: ${args.join(" ")}: ${Buffer.concat(said).toString()}`));
    });
  });

/** Milliseconds for this many runs of a command with this many at once. */
export const timeParallel = async (
  client: Client,
  count: number,
  width: number,
  ...args: string[]
): Promise<number> => {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await run(client, args);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: width }, worker));
  return performance.now() - start;
};

/** Standard output of a command on the engine's host, which succeeds. */
export const askHost = (client: Client, ...words: readonly string[]): string => {
  const [command = "", ...args] = [...client.engine.onHost, ...words];
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
};

/** Milliseconds of every run of a command for as long as the other command goes on, and until there are enough. */
export const timeBeside = async (
  client: Client,
  enough: number,
  args: readonly string[],
  other: readonly [string, ...string[]],
): Promise<number[]> => {
  const samples: number[] = [];
  while (samples.length < enough) {
    const [command, ...words] = other;
    const noise = spawn(command, words, { stdio: "ignore" });
    const over = new Promise<void>((resolve) => noise.once("exit", () => resolve()));
    while (noise.exitCode === null) {
      const start = performance.now();
      await run(client, args);
      samples.push(performance.now() - start);
    }
    await over;
  }
  return samples;
};
