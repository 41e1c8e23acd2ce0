/** `POST /containers/prune`: what does not run goes. */
import type { ContainerRecord } from "../../container/record.ts";
import { isUp } from "../../container/state.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import { untilOf } from "../until.ts";
import { json } from "../wire.ts";

let isRunning = false;

export const containerPrune: Handler = async ({ services, query }) => {
  const filters = Filters.parse(query.text("filters"), ["label", "label!", "until"]);
  const passes = testOf(filters, Date.now());
  if (isRunning) throw daemonError("pruning", {});
  isRunning = true;
  try {
    const { containers, events } = services;
    const idle = containers.list().filter((record) => !isUp(record.state) && passes(record));
    const sizes = await containers.sizes(idle);
    const deleted: string[] = [];
    let reclaimed = 0;
    for (const [index, { id }] of idle.entries()) {
      // Somebody may have started or removed it meanwhile.
      const isGone = await containers.remove(id, { force: false, volumes: false }).then(
        () => true,
        () => false,
      );
      if (!isGone) continue;
      deleted.push(id);
      reclaimed += sizes[index]?.written ?? 0;
    }
    events.tell({ type: "container", action: "prune", id: "", attributes: { reclaimed: String(reclaimed) } });
    return json({ ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed });
  } finally {
    isRunning = false;
  }
};

const testOf = (filters: Filters, now: number): ((record: ContainerRecord) => boolean) => {
  const until = untilOf(filters, now);
  return ({ created, request: { labels } }) => (until === undefined || created < until) && filters.prunes(labels);
};
