/** Signals that reach this command while it stands for a container. */
import { constants } from "node:os";
import type { Client } from "../../api/client.ts";
import { printError } from "./output.ts";

/** Not passed on: what says something about this process alone, and what cannot be caught. */
const own = new Set(["SIGCHLD", "SIGPIPE", "SIGURG", "SIGKILL", "SIGSTOP", "SIGPROF", "SIGWINCH"]);
/** Caught by the runtime for itself, or meaning that this process is broken. */
const broken = new Set([
  "SIGSEGV",
  "SIGBUS",
  "SIGFPE",
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGIOT",
  "SIGSYS",
  "SIGSTKFLT",
  "SIGUNUSED",
]);

const forwarded = (): NodeJS.Signals[] =>
  (Object.keys(constants.signals) as NodeJS.Signals[]).filter((name) => !own.has(name) && !broken.has(name));

/** So often somebody asks before he is heard, whatever the container does: Docker's number. */
const ENOUGH = 3;

/** Every signal goes to the container instead of ending this command, until disposed. */
export class SignalProxy implements Disposable {
  readonly #names = forwarded();
  readonly #listener: (name: NodeJS.Signals) => void;
  readonly #held: NodeJS.Signals[] = [];
  #send: ((name: NodeJS.Signals) => void) | undefined;

  constructor() {
    let asked = 0;
    this.#listener = (name) => {
      if (name === "SIGINT" || name === "SIGTERM") asked++;
      if (asked === ENOUGH) {
        printError("\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n");
        process.exit(1);
      }
      if (this.#send === undefined) this.#held.push(name);
      else this.#send(name);
    };
    for (const name of this.#names) process.on(name, this.#listener);
  }

  /** The container to which they go; those that came before are sent now. */
  connect(client: Client, id: string): void {
    this.#send = (signal) => {
      // A container that has ended meanwhile does not need the signal any more.
      client.text("containerKill", { id }, { query: { signal } }).catch(() => undefined);
    };
    for (const name of this.#held.splice(0)) this.#send(name);
  }

  [Symbol.dispose](): void {
    for (const name of this.#names) process.off(name, this.#listener);
  }
}
