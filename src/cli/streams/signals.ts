/** Signals that reach this command while it stands for a container. */
import type { Client } from "../../api/client.ts";
import { printError } from "./output.ts";

/**
 * Passed on: all but those that cannot be caught, that say something about this process alone (SIGCHLD, SIGPIPE, SIGURG,
 * SIGPROF, SIGWINCH), and that mean it is broken (SIGSEGV and its like).
 */
const forwarded = (
  "SIGHUP SIGINT SIGQUIT SIGUSR1 SIGUSR2 SIGALRM SIGTERM SIGCONT SIGTSTP SIGTTIN SIGTTOU SIGXCPU SIGXFSZ SIGVTALRM " +
  "SIGIO SIGPWR"
).split(" ") as readonly NodeJS.Signals[];

/** So often somebody asks before he is heard, whatever the container does: Docker's number. */
const ENOUGH = 3;

/** Every signal goes to the container instead of ending this command, until disposed. */
export class SignalProxy implements Disposable {
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
    for (const name of forwarded) process.on(name, this.#listener);
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
    for (const name of forwarded) process.off(name, this.#listener);
  }
}
