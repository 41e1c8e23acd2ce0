/** `pier login` */
import { command } from "../command.ts";
import { configPath } from "../docker-config.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { hubServer } from "../registry/auth.ts";
import { credentialsFor, storeCredentials } from "../registry/credentials.ts";
import { readInput } from "../streams/input.ts";
import { print, printError } from "../streams/output.ts";
import { inputIsTerminal, outputIsTerminal } from "../streams/terminal.ts";
import { boolean, text } from "../values/kinds.ts";

export const login = command({
  usage: "[OPTIONS] [SERVER]",
  flags: {
    password: flag(text(), "Password or Personal Access Token (PAT)", { short: "p" }),
    "password-stdin": flag(boolean(), "Take the Password or Personal Access Token (PAT) from stdin"),
    username: flag(text(), "Username", { short: "u" }),
  },
  least: 0,
  most: 1,
  run: async ({ values: flags, given, positional, client }) => {
    const server = serverOf(positional[0] ?? "");
    if (flags["password-stdin"] && given.has("password")) throw cliError("passwordTwice", {});
    if (flags["password-stdin"] && flags.username === "") throw cliError("passwordWithoutName", {});
    if (given.has("password")) printError("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
    const known = flags.username === "" && flags.password === "" ? await credentialsFor(server) : undefined;
    const auth = known ?? (await askFor(server, flags.username, flags.password, flags["password-stdin"]));
    const { Status, IdentityToken = "" } = await client.get("auth", {}, { json: auth });
    const { password: _, ...rest } = auth;
    const place = await storeCredentials(
      server,
      IdentityToken === "" ? auth : { ...rest, identitytoken: IdentityToken },
    );
    if (place === "file") {
      printError(`\nWARNING! Your credentials are stored unencrypted in '${configPath()}'.\n`);
      printError("Configure a credential helper to remove this warning.\n\n");
    }
    print(`${Status}\n`);
  },
});

/** What config.json calls the registry. */
export const serverOf = (given: string): string => {
  const host = given.replace(/^https?:\/\//, "").replace(/\/$/, "");
  return ["", "docker.io", "index.docker.io", "index.docker.io/v1"].includes(host) ? hubServer : host;
};

const askFor = async (server: string, name: string, given: string, fromInput: boolean) => {
  if (fromInput) {
    const password = Buffer.concat(await Array.fromAsync(readInput()))
      .toString()
      .replace(/\r?\n$/, "");
    return { username: name, password, serveraddress: server };
  }
  if (name !== "" && given !== "") return { username: name, password: given, serveraddress: server };
  if (!inputIsTerminal() || !outputIsTerminal()) throw cliError("passwordUnread", {});
  const { ask } = await import("../streams/prompt.ts");
  const username = name === "" ? await ask("Username: ") : name;
  const password = given === "" ? await ask("Password: ", { isSecret: true }) : given;
  return { username, password, serveraddress: server };
};
