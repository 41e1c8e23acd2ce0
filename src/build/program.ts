/** A program of the host's that turns bytes into others, and can be given up at any time. */
import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

export interface HostProgram {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** The error for what it says on standard error when it fails. */
  readonly failed: (errors: string) => Error;
}

const keptErrors = 4096;

/** What the program writes when it is given `input`; what goes wrong with that is thrown here. ENOENT: it is not installed. */
export async function* programOutput(
  { name, args, env, signal, failed }: HostProgram,
  input: Iterable<string> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  // In a group of its own, so that the programs that it starts go with it.
  const child = spawn(name, args, { cwd: "/", env, stdio: "pipe", detached: true });
  let isOver = false;
  const stop = (): void => {
    if (!isOver && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  };
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-keptErrors);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => {
      isOver = true;
    });
    child.once("close", resolve);
  });
  ended.catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  let wrongInput: Error | undefined;
  const source = (async function* () {
    try {
      yield* input;
    } catch (error) {
      wrongInput = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  })();
  // One that ends before its input does says why.
  const feeding = pipeline(Readable.from(source), child.stdin).catch(() => {});
  try {
    for await (const piece of child.stdout) yield piece as Buffer;
    const code = await ended;
    signal.throwIfAborted();
    if (wrongInput !== undefined) throw wrongInput;
    if (code !== 0) throw failed(errors);
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    child.stdin.destroy();
    await feeding;
  }
}
