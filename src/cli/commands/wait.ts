/** `pier wait` */
import { command } from "../command.ts";
import { forEach } from "../each.ts";
import { Failure } from "../failure.ts";

export const wait = command({
  usage: "CONTAINER [CONTAINER...]",
  flags: {},
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ positional, client }) =>
    forEach(
      positional,
      async (id) => {
        const { StatusCode, Error: problem } = await client.get("containerWait", { id });
        if (problem?.Message) throw new Failure(problem.Message);
        return String(StatusCode);
      },
      { atOnce: 1 },
    ),
});
