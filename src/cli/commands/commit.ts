/** `pier commit` */
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { print } from "../streams/output.ts";
import { boolean, text, texts } from "../values/kinds.ts";
import { parseReference } from "../values/reference.ts";

export const commit = command({
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  flags: {
    author: flag(text(), 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: "a" }),
    change: flag(texts, "Apply Dockerfile instruction to the created image", { short: "c" }),
    message: flag(text(), "Commit message", { short: "m" }),
    pause: flag(boolean(true), "Pause container during commit", { short: "p" }),
  },
  least: 1,
  most: 2,
  run: async ({ values: { author, change, message, pause }, positional, client }) => {
    const [container = "", name = ""] = positional;
    if (name !== "") parseReference(name);
    const query = { container, repo: name, author, comment: message, changes: change, pause: pause ? "1" : "0" };
    const { Id } = await client.get("commit", {}, { query });
    print(`${Id}\n`);
  },
});
