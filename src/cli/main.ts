/** The command line: from the words to the exit code. */
import { pierVersion } from "../api/versions.ts";
import { PierError } from "../base/errors.ts";
import type { Command } from "./command.ts";
import { type Found, findCommand } from "./commands.ts";
import { cliError } from "./errors.ts";
import { exitCodeOf, messageOf } from "./failure.ts";
import { type FlagTable, flag, type Parsed, parseFlags } from "./flags.ts";
import { clientAt, clientOfRunning } from "./host.ts";
import { print, printError } from "./streams/output.ts";
import { boolean, text } from "./values/kinds.ts";

const globalFlags = {
  context: flag(
    text(),
    'Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default context set with "pier context use")',
    { short: "c" },
  ),
  host: flag(text(), "Daemon socket to connect to (default unix:///run/pier/pier.sock)", { short: "H" }),
  root: flag(text(), "Directory of a daemon that is started: images, containers (default /var/lib/pier)"),
  run: flag(text(), "Directory of the daemon's sockets and state (default /run/pier)"),
  tls: flag(boolean(), "Use TLS; implied by --tlsverify"),
  tlscacert: flag(text(), 'Trust certs signed only by this CA (default "~/.docker/ca.pem")'),
  tlscert: flag(text(), 'Path to TLS certificate file (default "~/.docker/cert.pem")'),
  tlskey: flag(text(), 'Path to TLS key file (default "~/.docker/key.pem")'),
  tlsverify: flag(boolean(), "Use TLS and verify the remote"),
  version: flag(boolean(), "Print version information and quit", { short: "v" }),
} as const;

/** Exit codes that Docker gives to words that it cannot read. */
const BAD_FLAG = 125;
const BAD_WORDS = 1;

/** Holds afterwards: what the words ask for is done, or why not is written to standard error; resolves to the exit code. */
export const cli = async (words: readonly string[]): Promise<number> => {
  try {
    return await runTop(words);
  } catch (error) {
    const message = messageOf(error);
    if (message !== "") printError(`${message}\n`);
    if (error instanceof PierError && error.hint !== undefined) printError(`Try: ${error.hint}\n`);
    return exitCodeOf(error);
  }
};

const runTop = async (words: readonly string[]): Promise<number> => {
  const parsed = readFlags(globalFlags, words, true);
  if (parsed instanceof Error) {
    return refuse(parsed.message, "Usage:  pier [OPTIONS] COMMAND [ARG...]", "pier", BAD_FLAG);
  }
  const { values: options, positional } = parsed;
  if (options.version) {
    print(`pier version ${pierVersion}\n`);
    return 0;
  }
  // What the shells' scripts ask (commands/completion.ts); never a reason to start a daemon.
  if (positional[0] === "__complete") {
    const { complete } = await import("./complete.ts");
    const found = await complete(positional.slice(1), clientOfRunning(options, process.env));
    print(found.map((word) => `${word}\n`).join(""));
    return 0;
  }
  const asksHelp = positional[0] === "help";
  const found = findCommand(asksHelp ? positional.slice(1) : positional);
  if (parsed.given.has("help") || positional.length === 0 || (asksHelp && positional.length === 1))
    return await helpTop(positional.length === 0);
  if (asksHelp && found.kind === "none") throw cliError("unknownHelpTopic", { topic: found.path });
  if (found.kind === "none") return await refuseUnknown(found);
  if (found.kind === "group") return await helpGroup(found, asksHelp);
  const command = await found.entry.load();
  return asksHelp ? await helpCommand(found, command) : await call(found, command, options);
};

type Calling = Extract<Found, { kind: "command" }>;

const call = async (
  found: Calling,
  command: Command,
  options: Parsed<typeof globalFlags>["values"],
): Promise<number> => {
  const { path, words } = found;
  const usage = `Usage:  pier ${path} ${command.usage}`;
  const parsed = readFlags(command.flags, words, command.stopAtFirst ?? false);
  if (parsed instanceof Error) return refuse(parsed.message, usage, `pier ${path}`, BAD_FLAG);
  if (parsed.values.help === true) return await helpCommand(found, command);
  const wanted = wrongCount(command, parsed.positional.length);
  if (wanted !== undefined)
    return refuse(cliError("wrongCount", { path: `pier ${path}`, wanted }).message, usage, `pier ${path}`, BAD_WORDS);
  const client = clientAt(options, process.env);
  try {
    return (await command.run({ ...parsed, path, client, place: options })) ?? 0;
  } finally {
    client.close();
  }
};

/** Every command knows `--help`, whether or not its table says so. */
const readFlags = <T extends FlagTable>(
  table: T,
  words: readonly string[],
  stopAtFirst: boolean,
): Parsed<T & typeof helpFlag> | Error => {
  try {
    return parseFlags({ ...helpFlag, ...table }, words, { stopAtFirst });
  } catch (error) {
    if (error instanceof PierError) return error;
    throw error;
  }
};
const helpFlag = { help: flag(boolean(), "Print usage") } as const;

const plural = (count: number): string => (count === 1 ? `${count} argument` : `${count} arguments`);

/** How many words the command wanted, in Docker's words; undefined when it has them. */
const wrongCount = ({ least, most }: Command, count: number): string | undefined => {
  if (count >= least && count <= most) return undefined;
  if (most === 0) return "accepts no arguments";
  if (least === most) return `requires ${plural(least)}`;
  if (most === Number.POSITIVE_INFINITY) return `requires at least ${plural(least)}`;
  if (least === 0) return `requires at most ${plural(most)}`;
  return `requires at least ${least} and at most ${plural(most)}`;
};

const refuse = (message: string, usage: string, path: string, exitCode: number): number => {
  printError(`${message}\n\n${usage}\n\nRun '${path} --help' for more information\n`);
  return exitCode;
};

const refuseUnknown = async ({ path, group }: Extract<Found, { kind: "none" }>): Promise<number> => {
  const message = cliError("unknownCommand", { path: `pier ${path}` }).message;
  if (group !== undefined) return refuse(message, `Usage:  pier ${group}`, `pier ${group}`, BAD_WORDS);
  printError(`${message}\n\nRun 'pier --help' for more information\n`);
  return BAD_WORDS;
};

const helpTop = async (toErrors: boolean): Promise<number> => {
  const { topHelp } = await import("./help.ts");
  const { textWidth } = await import("./streams/terminal.ts");
  (toErrors ? printError : print)(topHelp(globalFlags, textWidth()));
  return 0;
};

const helpGroup = async ({ group, words }: Extract<Found, { kind: "group" }>, asked: boolean): Promise<number> => {
  const { groupHelp } = await import("./help.ts");
  const parsed = readFlags({}, words, true);
  if (parsed instanceof Error)
    return refuse(parsed.message, `Usage:  pier ${group} COMMAND`, `pier ${group}`, BAD_FLAG);
  (asked || words.length > 0 ? print : printError)(groupHelp(group));
  return 0;
};

const helpCommand = async ({ path, entry }: Calling, command: Command): Promise<number> => {
  const { commandHelp } = await import("./help.ts");
  const { textWidth } = await import("./streams/terminal.ts");
  print(commandHelp(path, entry, command, textWidth()));
  return 0;
};
