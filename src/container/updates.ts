/** Limits and restart policies that change: on record, and at once in what runs. */

import type { CgroupLimits } from "../kernel/cgroup/limits.ts";
import { planUpdate } from "../kernel/cgroup/update.ts";
import { runErrand } from "../kernel/errand.ts";
import { errnoMessage } from "../kernel/numbers/errno.ts";
import type { Plan } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";
import { collectDevices } from "./facts-devices.ts";
import { isStepFailure } from "./failure.ts";
import { findGroups } from "./groups.ts";
import type { Live } from "./live.ts";
import { Publisher } from "./publisher.ts";
import type { ContainerRecord } from "./record.ts";
import { fitToHost, type Processors } from "./request-host.ts";
import { planResources } from "./resources.ts";
import type { RunContext, Runs } from "./runs.ts";
import { type UpdateRequest, updated } from "./update.ts";

export class Updates {
  readonly #context: RunContext;
  readonly #runs: Runs;
  readonly #processors: Processors;
  readonly #publisher: Publisher;

  constructor(context: RunContext, runs: Runs, processors: Processors) {
    this.#context = context;
    this.#runs = runs;
    this.#processors = processors;
    this.#publisher = new Publisher(context);
  }

  /** Holds afterwards: the container has these limits and ports, now if it runs and at every later start. Answers warnings. */
  update({ id }: ContainerRecord, asked: UpdateRequest): Promise<readonly string[]> {
    const { locks, store, rooms, events } = this.#context;
    return locks.run(id, async () => {
      const before = store.get(id);
      if (before.removing) throw containerError("updateDead", {});
      const next = updated(before, asked);
      const { request, warnings } = fitToHost(next.request, rooms.host, this.#processors);
      const live = this.#runs.find(id);
      if (live !== undefined) await this.#apply(before, { ...next, request }, live);
      store.put({ ...store.get(id), request });
      await this.#publisher.change(store.get(id), asked.publications, live);
      await rooms.database.flush();
      events.emit("update", store.get(id));
      return warnings;
    });
  }

  async #apply(before: ContainerRecord, after: ContainerRecord, live: Live): Promise<void> {
    const { host, holder, run } = this.#context.rooms;
    const groups = await findGroups(host, live);
    const [had, has] = [await limitsOf(before), await limitsOf(after)];
    const asksForCpuset = has.cpu?.cpus !== had.cpu?.cpus || has.cpu?.mems !== had.cpu?.mems;
    if (asksForCpuset && groups.controllers.cpuset === undefined)
      throw containerError("updateCpuset", { id: after.id });
    const outside = planUpdate(host.cgroup, groups, had, has);
    if (outside.length === 0) return;
    const plan: Plan = { outside, inside: [], after: [] };
    await holder.wake();
    await runErrand(holder, run, plan).catch((cause: unknown) => {
      const step = isStepFailure(cause) ? plan.outside[cause.index] : undefined;
      const what = step?.step === "write" ? step.path : "its control groups";
      const reason = isStepFailure(cause) ? errnoMessage(cause.errno) : String(cause);
      throw containerError("updateFailed", { id: after.id, what, reason }, cause);
    });
  }
}

/** No limit of processes is a word too: one that was there must go. */
const limitsOf = async ({ request }: ContainerRecord): Promise<CgroupLimits> => ({
  ...planResources(request.resources, await collectDevices(request)),
  pids: { limit: request.resources.pidsLimit ?? 0 },
});
