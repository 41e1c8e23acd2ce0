/** `--cidfile`: the file is ours from before the container is made, and goes again when none is. */
import { errnoOf } from "../../base/errors.ts";
import { files } from "../../base/files.ts";
import { fileFailure } from "../failure.ts";
import { createError } from "./errors.ts";

export class IdFile implements Disposable {
  readonly #path: string;
  readonly #fd: number | undefined;
  #written = false;

  /** An empty path is no file; throws when something has that name already. */
  constructor(path: string) {
    this.#path = path;
    if (path === "") return;
    try {
      this.#fd = files().openSync(path, "wx", 0o644);
    } catch (cause) {
      throw errnoOf(cause) === "EEXIST" ? createError("idFileExists", { path }, cause) : fileFailure(path, cause);
    }
  }

  write(id: string): void {
    if (this.#fd === undefined) return;
    files().writeSync(this.#fd, id);
    this.#written = true;
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    files().closeSync(this.#fd);
    if (!this.#written) files().rmSync(this.#path, { force: true });
  }
}
