/** `pier rmi` */
import { AnswerError } from "../../api/client.ts";
import { command } from "../command.ts";
import { Failure, messageOf } from "../failure.ts";
import { flag } from "../flags.ts";
import { print, printError } from "../streams/output.ts";
import { boolean, list } from "../values/kinds.ts";
import { encodePlatform } from "../values/platform.ts";

export const rmi = command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    force: flag(boolean(), "Force removal of the image", { short: "f" }),
    "no-prune": flag(boolean(), "Do not delete untagged parents"),
    platform: flag(
      list((given) => given.split(","), { placeholder: "strings" }),
      'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
  },
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: flags, positional, client }) => {
    const platforms = flags.platform.flat().map((platform) => encodePlatform(platform, "") ?? "");
    const query = { force: flags.force, noprune: flags["no-prune"], platforms };
    const failures: string[] = [];
    let grave = false;
    for (const name of positional) {
      try {
        const items = await client.get("imageDelete", { name }, { query });
        for (const { Deleted, Untagged } of items) print(Deleted ? `Deleted: ${Deleted}\n` : `Untagged: ${Untagged}\n`);
      } catch (error) {
        grave ||= !(error instanceof AnswerError && error.status === 404);
        failures.push(messageOf(error));
      }
    }
    if (failures.length === 0) return;
    // What is not there need not be forced away.
    if (!flags.force || grave) throw new Failure(failures.join("\n"));
    printError(`${failures.join("\n")}\n`);
  },
});
