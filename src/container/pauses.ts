/** Containers that stand still: all of their processes, until they are told to go on. */
import { freeze, isFrozen, thaw } from "../kernel/cgroup/freezer.ts";
import { containerError } from "./errors.ts";
import { findGroups } from "./groups.ts";
import type { Live } from "./live.ts";
import type { ContainerRecord } from "./record.ts";
import type { RunContext, Runs } from "./runs.ts";
import { type Pause, type Running, wordOf } from "./state.ts";

/** Throws, in Docker's words, when the container cannot be asked anything now. */
export const checkAwake = ({ id, state }: ContainerRecord, what: string): void => {
  if (wordOf(state) === "paused") throw containerError("isPaused", { id, what });
  if (state.status === "restarting") throw containerError("isRestarting", { id });
};

export class Pauses {
  readonly #context: RunContext;
  readonly #runs: Runs;

  constructor(context: RunContext, runs: Runs) {
    this.#context = context;
    this.#runs = runs;
  }

  /** Holds afterwards: none of its processes runs, and the record says so, and until when. */
  async pause({ id }: ContainerRecord, paused: Pause = "until told"): Promise<void> {
    const { locks, store, rooms, events } = this.#context;
    await locks.run(id, async () => {
      const record = store.get(id);
      if (wordOf(record.state) === "paused") throw containerError("alreadyPaused", { id });
      checkAwake(record, "pause");
      const live = this.#runs.find(id);
      if (live === undefined) throw containerError("pauseStopped", { id });
      const groups = await findGroups(rooms.host, live);
      // Who stands still for a daemon's sake is known by that, whenever the daemon dies.
      if (paused === "for a while") this.#put(id, paused);
      await freeze(groups).catch((cause: unknown) => {
        this.#put(id, undefined);
        this.#refuse(id, "pause", cause);
      });
      this.#put(id, paused);
      events.emit("pause", record);
    });
  }

  async unpause({ id }: ContainerRecord): Promise<void> {
    const { locks, store } = this.#context;
    await locks.run(id, async () => {
      const live = this.#runs.find(id);
      if (live === undefined || wordOf(store.get(id).state) !== "paused") throw containerError("notPaused", { id });
      await this.#thaw(id, live);
    });
  }

  /** Who was told to end must run for that. */
  async wake({ id }: ContainerRecord): Promise<void> {
    const live = this.#runs.find(id);
    // It may have ended meanwhile, and its groups with it.
    if (live !== undefined && wordOf(this.#context.store.get(id).state) === "paused") {
      await this.#thaw(id, live).catch(() => {});
    }
  }

  /**
   * The state of one whose daemon has gone, as the kernel has it: it may have died between its word and its record. What
   * stood still for that daemon's sake goes on.
   */
  async stateOf(state: Running, live: Live): Promise<Running> {
    const { paused, ...rest } = state;
    const groups = await findGroups(this.#context.rooms.host, live).catch(() => undefined);
    if (groups === undefined) return rest;
    if (paused === "for a while") await thaw(groups).catch(() => {});
    return (await isFrozen(groups)) ? { ...rest, paused: "until told" } : rest;
  }

  async #thaw(id: ContainerRecord["id"], live: Live): Promise<void> {
    const { rooms, events, store } = this.#context;
    await thaw(await findGroups(rooms.host, live)).catch((cause: unknown) => this.#refuse(id, "unpause", cause));
    this.#put(id, undefined);
    events.emit("unpause", store.get(id));
  }

  #refuse(id: string, what: string, cause: unknown): never {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw containerError("notFreezable", { what, id, reason }, cause);
  }

  /** It may have ended while it was asked. */
  #put(id: ContainerRecord["id"], paused: Pause | undefined): void {
    const { store } = this.#context;
    const record = store.get(id);
    if (record.state.status !== "running") return;
    const { paused: _before, ...rest } = record.state;
    store.put({ ...record, state: paused === undefined ? rest : { ...rest, paused } });
  }
}
