/** The executable: `pier daemon` serves, every other word is a client's. */
const run = async (args: readonly string[]): Promise<number> => {
  if (args[0] === "daemon") return (await import("./daemon/main.ts")).main(args.slice(1));
  process.stderr.write("pier: only the daemon is in this build\n");
  return 125;
};

void run(process.argv.slice(2)).then((code) => process.exit(code));
