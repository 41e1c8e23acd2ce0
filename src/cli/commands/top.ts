/** `pier top` */
import { command } from "../command.ts";
import { formatTable } from "../output/table.ts";
import { print } from "../streams/output.ts";

export const top = command({
  usage: "CONTAINER [ps OPTIONS]",
  flags: {},
  least: 1,
  most: Number.POSITIVE_INFINITY,
  stopAtFirst: true,
  run: async ({ positional, client }) => {
    const [id = "", ...options] = positional;
    const query = { ps_args: options.join(" ") };
    const { Titles, Processes } = await client.get("containerTop", { id }, { query });
    print(formatTable([Titles, ...Processes], 20));
  },
});
