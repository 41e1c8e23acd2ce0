/**
 * Says which lines of `keeper/` ran: coverage.ts DIRECTORY, in which every program lies beside its `.hits`
 * (test/keeper/coverage.c). A line has run when a basic block with an instruction of it has.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("..", import.meta.url));
const wanted = 95;

/** By line number, whether it ran. */
type Lines = Map<number, boolean>;

/** The lines of the keeper's files that a program has instructions of, and whether a block of each is among the hits. */
const readProgram = (program: string, files: Map<string, Lines>): void => {
  const hits = readFileSync(`${program}.hits`);
  const listing = execFileSync("objdump", ["--disassemble", "--line-numbers", "--no-show-raw-insn", program], {
    encoding: "latin1",
    maxBuffer: 1 << 30,
  });
  const base = executableStart(program);
  let lines: Lines | undefined;
  let line = 0;
  /** Undefined at the beginning of a function, which runs when its first block does. */
  let isHit: boolean | undefined;
  const beginning: number[] = [];
  let isBlock = false;
  for (const text of listing.split("\n")) {
    const place = /^(\/[^:]+):(\d+)/.exec(text);
    const [, address, instruction = ""] = /^ +([0-9a-f]+):\t(.*)/.exec(text) ?? [];
    if (/^[0-9a-f]+ <.*>:$/.test(text)) {
      [lines, isHit, isBlock] = [undefined, undefined, false];
      beginning.length = 0;
    } else if (place !== null) {
      const file = relative(checkout, place[1]!);
      line = Number(place[2]);
      lines = file.startsWith("keeper/") ? (files.get(file) ?? new Map()) : undefined;
      if (lines !== undefined) files.set(file, lines);
    } else if (address !== undefined && lines !== undefined) {
      // What is marked is where the call returns to.
      if (isBlock) isHit = hits[Number.parseInt(address, 16) - base] === 1;
      if (isBlock)
        for (const first of beginning.splice(0)) lines.set(first, isHit === true || lines.get(first) === true);
      isBlock = instruction.includes("<__sanitizer_cov_trace_pc>");
      if (isHit === undefined) beginning.push(line);
      lines.set(line, isHit === true || lines.get(line) === true);
    }
  }
};

const executableStart = (program: string): number => {
  const symbols = execFileSync("nm", [program], { encoding: "latin1", maxBuffer: 1 << 26 });
  return Number.parseInt(/^([0-9a-f]+) . __executable_start$/m.exec(symbols)![1]!, 16);
};

const programs = (directory: string): string[] =>
  readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".hits"))
    .map((name) => join(directory, name.slice(0, -".hits".length)))
    .filter((program) => readFileSync(`${program}.hits`).length > 0);

/** "3, 7-9": what did not run. */
const ranges = (numbers: readonly number[]): string => {
  const parts: [number, number][] = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
};

const files = new Map<string, Lines>();
for (const program of programs(process.argv[2]!)) readProgram(program, files);
for (const [file, lines] of [...files].sort(([a], [b]) => a.localeCompare(b))) {
  const missed = [...lines].filter(([, ran]) => !ran).map(([number]) => number);
  const percent = (100 * (lines.size - missed.length)) / lines.size;
  if (percent < wanted) process.exitCode = 1;
  const rest = missed.length === 0 ? "" : `not: ${ranges(missed.sort((a, b) => a - b))}`;
  console.log(`${percent.toFixed(1).padStart(5)} %  ${file.padEnd(20)} ${rest}`);
}
if (files.size === 0) process.exitCode = 1;
