/** `pier rename` */
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { Failure, messageOf } from "../failure.ts";

export const rename = command({
  usage: "CONTAINER NEW_NAME",
  flags: {},
  least: 2,
  most: 2,
  run: async ({ positional, client }) => {
    const [from = "", to = ""] = positional.map((name) => name.trim());
    if (from === "" || to === "") throw cliError("emptyNames", {});
    try {
      await client.text("containerRename", { id: from }, { query: { name: to } });
    } catch (cause) {
      throw new Failure(`${messageOf(cause)}\nError: failed to rename container named ${from}`, 1, cause);
    }
  },
});
