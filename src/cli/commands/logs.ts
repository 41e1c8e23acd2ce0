/** `pier logs` */
import { command } from "../command.ts";
import { Failure, messageOf } from "../failure.ts";
import { flag } from "../flags.ts";
import { Demultiplexer } from "../streams/session.ts";
import { boolean, text } from "../values/kinds.ts";
import { parseMoment } from "../values/moment.ts";

const moment = (what: string) =>
  `Show logs ${what} (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)`;

export const logs = command({
  usage: "[OPTIONS] CONTAINER",
  flags: {
    details: flag(boolean(), "Show extra details provided to logs"),
    follow: flag(boolean(), "Follow log output", { short: "f" }),
    since: flag(text(), moment("since timestamp")),
    tail: flag(text("all"), "Number of lines to show from the end of the logs", { short: "n" }),
    timestamps: flag(boolean(), "Show timestamps", { short: "t" }),
    until: flag(text(), moment("before a timestamp")),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const { Id: id, Config } = await client.get("containerInspect", { id: positional[0]! });
    const query = {
      stdout: true,
      stderr: true,
      follow: flags.follow,
      timestamps: flags.timestamps,
      details: flags.details,
      since: momentOf("since", flags.since),
      until: momentOf("until", flags.until),
      tail: flags.tail,
    };
    const { body } = await client.send("containerLogs", { id }, { query });
    const outputs = new Demultiplexer(Config.Tty ?? false);
    for await (const chunk of body) if (!outputs.push(chunk)) await outputs.calm();
    await outputs.calm();
  },
});

const momentOf = (name: string, text: string): string => {
  try {
    return parseMoment(text);
  } catch (cause) {
    throw new Failure(`invalid value for "${name}": ${messageOf(cause)}`, 1, cause);
  }
};
