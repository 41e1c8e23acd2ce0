/** Parts of the keeper with a driver of their own, watched by the compiler's sanitizers. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const root = new URL("../../", import.meta.url).pathname;

/** Why the tests of C parts cannot run here, or false. */
export const noCompiler =
  spawnSync("cc", ["--version"]).status === 0 ? false : "a C compiler is needed: apt-get install gcc libc6-dev";

export interface Checked extends Disposable {
  readonly program: string;
}

/** A program that is gone with its disposal; `sources` are relative to the project. */
export const compileChecked = (name: string, sources: readonly string[]): Checked => {
  const directory = mkdtempSync(join(tmpdir(), "pier-keeper-"));
  const program = join(directory, name);
  const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
  execFileSync(
    "cc",
    ["-std=gnu17", "-O1", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra", ...sanitizers, "-o", program, ...sources],
    {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  return { program, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
};
