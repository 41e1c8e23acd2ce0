import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Datagrams of a Unix socket, which Node has none of: another program listens, and says them as hexadecimal digits. */
export class UnixDatagrams implements AsyncDisposable {
  readonly got: Buffer[] = [];
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  static async open(path: string): Promise<UnixDatagrams> {
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("", flush=True)
while True: print(s.recv(1 << 20).hex(), flush=True)`;
    const child = spawn("python3", ["-c", script, path], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const datagrams = new UnixDatagrams(child);
    await once(lines, "line");
    lines.on("line", (line) => datagrams.got.push(Buffer.from(line, "hex")));
    return datagrams;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await once(this.#process, "exit");
  }
}
