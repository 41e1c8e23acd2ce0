/** `pier diff` */
import { command } from "../command.ts";
import { print } from "../streams/output.ts";

/** By the number that the API has for it. */
const letters = ["C", "A", "D"] as const;

export const diff = command({
  usage: "CONTAINER",
  flags: {},
  least: 1,
  most: 1,
  run: async ({ positional: [id = ""], client }) => {
    const changes = (await client.get("containerChanges", { id })) ?? [];
    print(changes.map(({ Path, Kind }) => `${letters[Kind]} ${Path}\n`).join(""));
  },
});
