/** A client at a terminal: typed into, read from, made larger; script(1), which every Debian has, keeps the other end. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Engine } from "../engine.ts";
import { Listener, until } from "./containers.ts";

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

export class Terminal extends Listener {
  /** A terminal of 30 rows and 90 columns, in which a client runs. */
  static open(engine: Engine, args: readonly string[], client: readonly string[] = ["docker"]): Terminal {
    const command = `stty rows 30 cols 90; exec ${[...client, ...args].map(quoted).join(" ")}`;
    const env = { ...engine.env, SHELL: "/bin/sh" };
    const script = ["--quiet", "--return", "--flush", "--command", command, "/dev/null"];
    return new Terminal(spawn("script", script, { env, stdio: "pipe" }));
  }

  private constructor(child: ChildProcess) {
    super(child);
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Holds afterwards: the terminal has this size, and what its client says of it has been seen. */
  async resize(rows: number, columns: number, pattern: RegExp): Promise<void> {
    const script = this.child.pid;
    const client = Number(readFileSync(`/proc/${script}/task/${script}/children`, "utf8"));
    execFileSync("stty", ["-F", `/proc/${client}/fd/0`, "rows", String(rows), "cols", String(columns)]);
    // The kernel tells the client once, and it begins to listen in its own time.
    await until(`${pattern} is seen: ${this.text}`, () => {
      process.kill(client, "SIGWINCH");
      return pattern.test(this.text);
    });
  }
}
