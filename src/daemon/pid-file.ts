/** A file with our number, for whoever watches daemons that way. The lock of the run directory keeps a second daemon away. */
import { rmSync, writeFileSync } from "node:fs";

export class PidFile implements Disposable {
  readonly #path: string | undefined;

  constructor(path: string | undefined) {
    this.#path = path;
    if (path !== undefined) writeFileSync(path, `${process.pid}`);
  }

  [Symbol.dispose](): void {
    if (this.#path !== undefined) rmSync(this.#path, { force: true });
  }
}
