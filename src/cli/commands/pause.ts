/** `pier pause`, `pier unpause`. */
import { command } from "../command.ts";
import { forEach } from "../each.ts";

const telling = (route: "containerPause" | "containerUnpause") =>
  command({
    usage: "CONTAINER [CONTAINER...]",
    flags: {},
    least: 1,
    most: Number.POSITIVE_INFINITY,
    run: ({ positional, client }) => forEach(positional, async (id) => void (await client.text(route, { id }))),
  });

export const pause = telling("containerPause");
export const unpause = telling("containerUnpause");
