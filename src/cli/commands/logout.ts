/** `pier logout` */
import { command } from "../command.ts";
import { eraseCredentials } from "../registry/credentials.ts";
import { print } from "../streams/output.ts";
import { serverOf } from "./login.ts";

export const logout = command({
  usage: "[SERVER]",
  flags: {},
  least: 0,
  most: 1,
  run: async ({ positional }) => {
    const server = serverOf(positional[0] ?? "");
    print(`Removing login credentials for ${server}\n`);
    await eraseCredentials(server);
  },
});
