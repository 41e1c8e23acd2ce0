/** `pier rm` */
import { AnswerError } from "../../api/client.ts";
import { command } from "../command.ts";
import { forEach } from "../each.ts";
import { cliError } from "../errors.ts";
import { messageOf } from "../failure.ts";
import { flag } from "../flags.ts";
import { printError } from "../streams/output.ts";
import { boolean } from "../values/kinds.ts";

export const rm = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    force: flag(boolean(), "Force the removal of a running container (uses SIGKILL)", { short: "f" }),
    link: flag(boolean(), "Remove the specified link", { short: "l" }),
    volumes: flag(boolean(), "Remove anonymous volumes associated with the container", { short: "v" }),
  },
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: { force, link, volumes }, positional, client }) =>
    forEach(positional, async (name) => {
      const id = name.replace(/^\/+|\/+$/g, "");
      if (id === "") throw cliError("emptyName", {});
      try {
        await client.text("containerDelete", { id }, { query: { force, link, v: volumes } });
      } catch (error) {
        // What is not there need not be forced away.
        if (!(force && error instanceof AnswerError && error.status === 404)) throw error;
        printError(`${messageOf(error)}\n`);
        return "";
      }
      return name;
    }),
});
