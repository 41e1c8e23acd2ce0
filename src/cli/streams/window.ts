/** Keeps a terminal in a container as large as the one around this command. */
import type { Client } from "../../api/client.ts";
import { terminalSize } from "./terminal.ts";

/** Tells the size now, and whenever it changes, until disposed. */
export class WindowWatch implements Disposable {
  readonly #client: Client;
  readonly #target: { readonly route: "containerResize" | "execResize"; readonly id: string };
  readonly #tell = (): void => void this.resize().catch(() => undefined);

  constructor(client: Client, route: "containerResize" | "execResize", id: string) {
    this.#client = client;
    this.#target = { route, id };
    process.on("SIGWINCH", this.#tell);
  }

  /** Holds afterwards: the container's terminal has our size, plus so many rows and columns. */
  async resize(more = 0): Promise<void> {
    const [rows, columns] = terminalSize();
    if (rows === 0 && columns === 0) return;
    const query = { h: rows + more, w: columns + more };
    await this.#client.text(this.#target.route, { id: this.#target.id }, { query });
  }

  [Symbol.dispose](): void {
    process.off("SIGWINCH", this.#tell);
  }
}
