/** `pier container prune`, `pier system prune`. */
import { AnswerError, type Client } from "../../api/client.ts";
import type { RouteName } from "../../api/routes.ts";
import { command } from "../command.ts";
import { isConfirmed } from "../confirm.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { print } from "../streams/output.ts";
import { formatSize } from "../values/bytes.ts";
import { encodeFilters, type Filters, filters, withFilter } from "../values/filters.ts";
import { boolean } from "../values/kinds.ts";

const force = flag(boolean(), "Do not prompt for confirmation", { short: "f" });
const filter = flag(filters, 'Provide filter values (e.g. "label=<key>=<value>")');

const total = (bytes: number): void => print(`Total reclaimed space: ${formatSize(bytes)}\n`);

export const containerPrune = command({
  usage: "[OPTIONS]",
  flags: { filter, force },
  least: 0,
  most: 0,
  run: async ({ values: flags, client }) => {
    const warning = "WARNING! This will remove all stopped containers.";
    if (!flags.force && !(await isConfirmed(warning))) throw cliError("pruneCancelled", { what: "container" });
    total(await pruneContainers(client, flags.filter));
  },
});

const pruneContainers = async (client: Client, given: Filters): Promise<number> => {
  const query = { filters: encodeFilters(given) };
  const { ContainersDeleted, SpaceReclaimed } = await client.get("containerPrune", {}, { query });
  if (ContainersDeleted !== null) print(`Deleted Containers:\n${ContainersDeleted.join("\n")}\n\n`);
  return SpaceReclaimed;
};

interface Pruned {
  readonly SpaceReclaimed?: number;
  readonly NetworksDeleted?: readonly string[] | null;
  readonly VolumesDeleted?: readonly string[] | null;
  readonly ImagesDeleted?: readonly { readonly Untagged?: string; readonly Deleted?: string }[] | null;
  readonly CachesDeleted?: readonly string[] | null;
}

/** What the daemon does not keep yet it need not prune. */
const pruneOthers = async (
  client: Client,
  route: RouteName & ("networkPrune" | "volumePrune" | "imagePrune" | "buildPrune"),
  query: Readonly<Record<string, string | undefined>>,
): Promise<number> => {
  let answer: Pruned;
  try {
    answer = JSON.parse(await client.text(route, {}, { query })) as Pruned;
  } catch (error) {
    if (error instanceof AnswerError && error.status === 501) return 0;
    throw error;
  }
  const images = answer.ImagesDeleted?.map(({ Untagged, Deleted }) =>
    Untagged === undefined ? `deleted: ${Deleted}` : `untagged: ${Untagged}`,
  );
  const lists = {
    Networks: answer.NetworksDeleted,
    Volumes: answer.VolumesDeleted,
    Images: images,
    "build cache objects": answer.CachesDeleted,
  };
  for (const [what, names] of Object.entries(lists)) {
    if (names && names.length > 0) print(`Deleted ${what}:\n${names.join("\n")}\n\n`);
  }
  return answer.SpaceReclaimed ?? 0;
};

export const systemPrune = command({
  usage: "[OPTIONS]",
  flags: {
    all: flag(boolean(), "Remove all unused images not just dangling ones", { short: "a" }),
    filter,
    force,
    volumes: flag(boolean(), "Prune anonymous volumes"),
  },
  least: 0,
  most: 0,
  run: async ({ values: flags, client }) => {
    if (flags.volumes && flags.filter.has("until")) throw cliError("pruneVolumesUntil", {});
    const warning = warningOf(flags);
    if (!flags.force && !(await isConfirmed(warning))) throw cliError("pruneCancelled", { what: "system" });
    const asked = encodeFilters(flags.filter);
    const images = encodeFilters(withFilter(flags.filter, "dangling", String(!flags.all)));
    total(
      (await pruneContainers(client, flags.filter)) +
        (await pruneOthers(client, "networkPrune", { filters: asked })) +
        (flags.volumes ? await pruneOthers(client, "volumePrune", { filters: asked }) : 0) +
        (await pruneOthers(client, "imagePrune", { filters: images })) +
        (await pruneOthers(client, "buildPrune", { filters: asked, ...(flags.all ? { all: "1" } : {}) })),
    );
  },
});

const warningOf = ({ all, volumes }: { readonly all: boolean; readonly volumes: boolean }): string =>
  [
    "WARNING! This will remove:",
    "  - all stopped containers",
    "  - all networks not used by at least one container",
    ...(volumes ? ["  - all anonymous volumes not used by at least one container"] : []),
    all ? "  - all images without at least one container associated to them" : "  - all dangling images",
    all ? "  - all build cache" : "  - unused build cache",
    "",
  ].join("\n");

export const imagePrune = command({
  usage: "[OPTIONS]",
  flags: { all: flag(boolean(), "Remove all unused images, not just dangling ones", { short: "a" }), filter, force },
  least: 0,
  most: 0,
  run: async ({ values: flags, client }) => {
    const warning = flags.all
      ? "WARNING! This will remove all images without at least one container associated to them."
      : "WARNING! This will remove all dangling images.";
    if (!flags.force && !(await isConfirmed(warning))) throw cliError("pruneCancelled", { what: "image" });
    const filters = encodeFilters(withFilter(flags.filter, "dangling", String(!flags.all)));
    total(await pruneOthers(client, "imagePrune", { filters }));
  },
});
