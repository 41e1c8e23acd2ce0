/** The executable `pier`: the daemon or the host's check when asked for, the command line otherwise. */

const main = async (): Promise<number> => {
  const [first, ...rest] = process.argv.slice(2);
  if (first === "daemon") return await (await import("./daemon/main.ts")).main(rest);
  if (first === "check") return await (await import("./daemon/check/main.ts")).main(rest);
  return await (await import("./cli/main.ts")).cli(process.argv.slice(2));
};

// Connections that are kept, and a read of standard input that nobody waits for, would keep the process alive.
void main().then(
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    process.stderr.write(`pier: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
