/** Parts of the keeper with a driver of their own, watched by the compiler's sanitizers or counted. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const root = new URL("../../", import.meta.url).pathname;

/** Why the tests of C parts cannot run here, or false. */
export const noCompiler =
  spawnSync("cc", ["--version"]).status === 0 ? false : "a C compiler is needed: apt-get install gcc libc6-dev";

export interface Checked extends Disposable {
  readonly program: string;
}

/** Where a run that measures coverage (scripts/coverage) collects programs and what they ran. */
export const measured = process.env.PIER_COVERAGE;

const sanitizers = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
/** What makes a program whose `.hits` lie beside it. */
export const coverage = (program: string): readonly string[] => [
  ...["-g", "-O0", "-static", "-no-pie", "-fsanitize-coverage=trace-pc", `-DCOVERAGE_FILE="${program}.hits"`],
  join(root, "test/keeper/coverage.c"),
];

/** A program that is gone with its disposal; `sources` are relative to the project. */
export const compileChecked = (name: string, sources: readonly string[]): Checked => {
  const directory = mkdtempSync(join(measured ?? tmpdir(), "pier-keeper-"));
  const program = join(directory, name);
  const flags = measured === undefined ? sanitizers : coverage(program);
  if (measured !== undefined) writeFileSync(`${program}.hits`, "");
  const language = ["-std=gnu17", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra"];
  execFileSync("cc", [...language, ...flags, "-o", program, ...sources], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  return {
    program,
    [Symbol.dispose]: () => {
      if (measured === undefined) rmSync(directory, { recursive: true });
    },
  };
};
