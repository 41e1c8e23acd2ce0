/** Containers with `--rm` that are restarted: they outlive this one end, as in Docker. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { errnos } from "../kernel/numbers/errno.ts";
import { ChangeFailure, changePlan } from "./change.ts";
import type { ContainerPaths } from "./paths.ts";
import { type ContainerRecord, goesAtEnd } from "./record.ts";
import type { RunContext, Runs } from "./runs.ts";

export class Stays {
  readonly #context: RunContext;
  readonly #runs: Runs;

  constructor(context: RunContext, runs: Runs) {
    this.#context = context;
    this.#runs = runs;
  }

  /** Holds afterwards: the next end takes neither its files nor its record. A daemon that comes before its start forgets it. */
  async prepare({ id }: ContainerRecord): Promise<void> {
    const { launcher, locks, rooms, store } = this.#context;
    await locks.run(id, async () => {
      const live = this.#runs.find(id);
      if (live === undefined || !goesAtEnd(store.get(id))) return;
      // The plan first: files without a record are removed in any case, a record needs its files.
      const kept: ContainerRecord = { ...store.get(id), stays: true };
      await changePlan(launcher, kept, rooms.networks.members.endpoints(id), [], live).catch(unlessEnded);
      if (this.#runs.find(id) === live) store.put({ ...store.get(id), stays: true });
    });
  }
}

/** It has just ended by itself, and goes. */
const unlessEnded = (error: unknown): void => {
  if (!(error instanceof ChangeFailure) || error.errno !== errnos.ESRCH.number) throw error;
};

/**
 * Holds afterwards: what was mounted `volatile` can be mounted again. The kernel's mark says that files may be lost if the
 * machine went down since; it has not (overlayfs.rst, "Volatile mount").
 */
export const allowMount = ({ work }: ContainerPaths): void =>
  rmSync(join(work, "work/incompat/volatile"), { recursive: true, force: true });
