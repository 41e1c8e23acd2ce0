/** Runs a program to its end and gives back all it said. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { patience } from "./patience.ts";

export interface Ran {
  /** The exit code; 128 and the number of the signal when it was killed by one, as in a shell. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it came, for what is not text. */
  readonly output: Buffer;
}

export interface ExecuteOptions {
  /** What is on standard input, which then ends; without it standard input is /dev/null. */
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Milliseconds until it is killed and the promise rejects with what it had said. */
  readonly timeout?: number;
}

const signals: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11 };
const codeOf = (code: number | null, signal: string | null): number => code ?? 128 + (signals[signal ?? ""] ?? 15);

const collect = (child: ChildProcess, name: "stdout" | "stderr"): Buffer[] => {
  const chunks: Buffer[] = [];
  child[name]?.on("data", (chunk: Buffer) => chunks.push(chunk));
  return chunks;
};

/** The program's exit code and output; rejects when it cannot be started or does not end in time. */
export const execute = (command: string, args: readonly string[], options: ExecuteOptions = {}): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const { input, timeout = patience(60_000), ...rest } = options;
    const stdio: SpawnOptions["stdio"] = [input === undefined ? "ignore" : "pipe", "pipe", "pipe"];
    const child = spawn(command, args, { ...rest, stdio });
    const stdout = collect(child, "stdout");
    const stderr = collect(child, "stderr");
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeout);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const output = Buffer.concat(stdout);
      const said = Buffer.concat(stderr).toString();
      if (late)
        reject(new Error(`not over after ${timeout} ms: ${command} ${args.join(" ")}\n${output.toString()}${said}`));
      else resolve({ code: codeOf(code, signal), stdout: output.toString(), stderr: said, output });
    });
    // A program that ends without reading its input is no error of ours.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
