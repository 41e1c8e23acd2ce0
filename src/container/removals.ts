/** Containers that go, with their files: because somebody says so, or because they were to go at their end. */
import { existsSync } from "node:fs";
import type { ContainerId } from "../base/ids.ts";
import { errnoMessage } from "../kernel/numbers/errno.ts";
import { TreeRemovals } from "../kernel/removal.ts";
import { containerError } from "./errors.ts";
import type { Execs } from "./execs.ts";
import { isStepFailure } from "./failure.ts";
import { clearRun } from "./live.ts";
import { containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { RunContext, Runs } from "./runs.ts";
import { wordOf } from "./state.ts";
import type { Stops } from "./stops.ts";
import { removeAnonymous, volumeUsers } from "./volumes.ts";
import type { WaitResult } from "./waiters.ts";

export interface RemoveRequest {
  /** Also one that runs. */
  readonly force: boolean;
  /** The volumes that were made for it go with it. */
  readonly volumes: boolean;
}

export class Removals {
  readonly #context: RunContext;
  readonly #runs: Runs;
  readonly #stops: Stops;
  readonly #execs: Execs;
  readonly #trees: TreeRemovals;

  constructor(context: RunContext, runs: Runs, stops: Stops, execs: Execs) {
    this.#context = context;
    this.#runs = runs;
    this.#stops = stops;
    this.#execs = execs;
    this.#trees = new TreeRemovals(context.rooms.holder, context.rooms.run);
  }

  /** Holds afterwards: it is gone. `reference` is what it was called by who asks. */
  async remove(id: ContainerId, reference: string, options: RemoveRequest): Promise<void> {
    const { store, locks } = this.#context;
    // Somebody may start it while we wait for our turn.
    for (let isGone = false; !isGone; ) {
      const state = store.has(id) ? store.get(id).state : undefined;
      if (this.#runs.find(id) !== undefined || state?.status === "restarting") {
        if (!options.force && wordOf(state!) === "paused") throw containerError("removePaused", { name: reference });
        if (!options.force) throw containerError("removeRunning", { name: reference, state: wordOf(state!) });
        await this.#runs.giveUp(id);
        await this.#stops.end(id);
      }
      isGone = await locks.run(id, async () => {
        if (this.#runs.find(id) !== undefined) return false;
        // One that was to be removed at its end is gone by now.
        if (!store.has(id)) return true;
        const record = store.get(id);
        if (record.state.status === "restarting") return false;
        await this.destroy(record, { exitCode: 0 }, options.volumes);
        return true;
      });
    }
  }

  /** Holds afterwards: neither a record nor a file of the container is left. Who is interrupted is begun again. */
  async destroy(
    record: ContainerRecord,
    last: WaitResult,
    withVolumes: boolean = record.request.autoRemove,
  ): Promise<void> {
    const { rooms, store, events, waiters } = this.#context;
    const { directory } = containerPaths(rooms, record.id);
    // Who removes itself has done so already; one that never ran has none.
    if (existsSync(directory)) {
      store.put({ ...record, removing: true });
      await this.removeTree(directory).catch((cause: unknown) => {
        const reason = isStepFailure(cause) ? errnoMessage(cause.errno) : "the keeper ended before its work was done";
        throw containerError("notRemoved", { name: record.name, reason }, cause);
      });
    }
    store.remove(record);
    const usedBy = volumeUsers(() => store.list());
    if (withVolumes) await removeAnonymous(rooms, record, usedBy);
    // The word of an end that the disk did not take.
    clearRun(containerPaths(rooms, record.id));
    this.#execs.forget(record.id);
    events.emit("destroy", record);
    waiters.removed(record.id, last);
  }

  removeTree(path: string): Promise<void> {
    return this.#trees.remove(path);
  }

  /** Holds afterwards: nobody waits for another removal. */
  close(): void {
    this.#trees.close();
  }
}
