/** `pier volume create`, `pier volume rm`, `pier volume prune`. */
import { AnswerError } from "../../api/client.ts";
import { command } from "../command.ts";
import { isConfirmed } from "../confirm.ts";
import { forEach } from "../each.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { print } from "../streams/output.ts";
import { formatSize } from "../values/bytes.ts";
import { encodeFilters, filters, withFilter } from "../values/filters.ts";
import { boolean, pairs, text } from "../values/kinds.ts";

export const volumeCreate = command({
  usage: "[OPTIONS] [VOLUME]",
  flags: {
    driver: flag(text("local"), "Specify volume driver name", { short: "d" }),
    label: flag(pairs("list"), "Set metadata for a volume"),
    name: flag(text(), "Specify volume name"),
    opt: flag(pairs("map"), "Set driver specific options", { short: "o" }),
  },
  least: 0,
  most: 1,
  run: async ({ values: { driver, label, name, opt }, positional, client }) => {
    const [word] = positional;
    if (word !== undefined && name !== "") throw cliError("volumeNamedTwice", {});
    const json = { Name: word ?? name, Driver: driver, DriverOpts: opt, Labels: label };
    const { Name } = await client.get("volumeCreate", {}, { json });
    print(`${Name}\n`);
  },
});

export const volumeRm = command({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { force: flag(boolean(), "Force the removal of one or more volumes", { short: "f" }) },
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: { force }, positional, client }) =>
    forEach(positional, async (id) => {
      try {
        await client.text("volumeDelete", { id }, { query: { force } });
      } catch (error) {
        if (!(force && error instanceof AnswerError && error.status === 404)) throw error;
      }
    }),
});

export const volumePrune = command({
  usage: "[OPTIONS]",
  flags: {
    all: flag(boolean(), "Remove all unused volumes, not just anonymous ones", { short: "a" }),
    filter: flag(filters, 'Provide filter values (e.g. "label=<label>")'),
    force: flag(boolean(), "Do not prompt for confirmation", { short: "f" }),
  },
  least: 0,
  most: 0,
  run: async ({ values: { all, filter, force }, client }) => {
    const which = all || filter.has("all") ? "all" : "anonymous";
    const warning = `WARNING! This will remove ${which} local volumes not used by at least one container.`;
    if (!force && !(await isConfirmed(warning))) throw cliError("pruneCancelled", { what: "volume" });
    const asked = all ? withFilter(filter, "all", "true") : filter;
    const { VolumesDeleted, SpaceReclaimed } = await client.get(
      "volumePrune",
      {},
      { query: { filters: encodeFilters(asked) } },
    );
    const deleted = VolumesDeleted ?? [];
    if (deleted.length > 0) print(`Deleted Volumes:\n${deleted.join("\n")}\n\n`);
    print(`Total reclaimed space: ${formatSize(SpaceReclaimed)}\n`);
  },
});
