/** `POST /images/prune`: images that nobody needs go, and what is left of pulls that broke off. */
import type { ImageDeleteItem } from "../../api/answers/images.ts";
import { planPrune } from "../../image/prune.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import { imageUsers } from "../services.ts";
import { untilOf } from "../until.ts";
import { json } from "../wire.ts";
import { parseTruth } from "./image-list.ts";

let isRunning = false;

export const imagePrune: Handler = async ({ services, query }) => {
  const filters = Filters.parse(query.text("filters"), ["dangling", "label", "label!", "until"]);
  const until = untilOf(filters, Date.now());
  const dangling = filters.get("dangling").map(parseTruth);
  if (isRunning) throw daemonError("pruning", {});
  isRunning = true;
  try {
    const { images, containers, events } = services;
    const usedBy = imageUsers(containers);
    const doomed = planPrune(images.list(), {
      dangling: !dangling.includes(false),
      until,
      hasLabels: (labels) => filters.prunes(labels),
      isUsed: ({ id }) => usedBy(id).length > 0,
    });
    const before = images.diskSize();
    const deleted: ImageDeleteItem[] = [];
    for (const { id, tags, digests } of doomed) {
      // By its names, so that each is told of; by its id where it has none.
      const references = tags.length > 0 ? tags : digests.length > 0 ? digests : [id];
      for (const reference of references)
        deleted.push(...removed(() => images.remove(reference, { force: false, usedBy })));
    }
    const reclaimed = before - images.diskSize() + (await services.pulls.prune());
    events.tell({ type: "image", action: "prune", id: "", attributes: { reclaimed: String(reclaimed) } });
    return json({ ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed });
  } finally {
    isRunning = false;
  }
};

/** Somebody may have begun to use it meanwhile, or taken it away. */
const removed = (remove: () => readonly ImageDeleteItem[]): readonly ImageDeleteItem[] => {
  try {
    return remove();
  } catch {
    return [];
  }
};
