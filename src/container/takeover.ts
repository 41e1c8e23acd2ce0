/** What the last daemon left is taken over: who runs is followed to its end, what was half done is finished or undone. */
import type { ContainerId } from "../base/ids.ts";
import type { Live } from "./live.ts";
import type { Pauses } from "./pauses.ts";
import type { Probes } from "./probes.ts";
import type { ContainerRecord } from "./record.ts";
import { recover } from "./recover.ts";
import type { Removals } from "./removals.ts";
import type { RunContext, Runs } from "./runs.ts";
import { adoptVolumes } from "./volumes.ts";

/** Who acts on what is found. */
interface Heirs {
  readonly runs: Runs;
  readonly pauses: Pauses;
  readonly probes: Probes;
  readonly removals: Removals;
}

export class Takeover {
  readonly #context: RunContext;
  readonly #heirs: Heirs;
  /** Those whose keepers have not answered yet. */
  readonly #late = new Map<ContainerId, Promise<void>>();

  constructor(context: RunContext, heirs: Heirs) {
    this.#context = context;
    this.#heirs = heirs;
  }

  /** Nobody knows yet whether it runs. */
  isLate(id: ContainerId): boolean {
    return this.#late.has(id);
  }

  /** Resolves when it is known whether it runs. */
  async settled(id: ContainerId): Promise<void> {
    await this.#late.get(id);
  }

  /** Holds afterwards: of every container but the late ones it is known whether it runs, and nothing is half done. */
  async run(): Promise<void> {
    const { rooms, store } = this.#context;
    const { runs, removals } = this.#heirs;
    // A restart that the last daemon had begun: it goes at its end as it was asked to.
    for (const { stays, ...record } of store.list()) if (stays) store.put(record);
    await recover(rooms, store, {
      running: (record, live) => this.#adopt(record, live),
      late: (id, found) => {
        this.#late.set(
          id,
          found.finally(() => this.#late.delete(id)),
        );
      },
      ended: (id, report) => runs.ended(id, report),
      lost: (record) => runs.lost(record.id),
      rubbish: (path) => removals.removeTree(path),
      forgotten: (record) => removals.destroy(record, { exitCode: 0 }),
    });
    await this.#tidyNetworks();
    await this.#context.launcher.parents.tidy();
  }

  async #adopt(record: ContainerRecord, live: Live): Promise<void> {
    const { rooms, store, launcher } = this.#context;
    const { runs, pauses, probes } = this.#heirs;
    await launcher.parents.adopt(record);
    adoptVolumes(rooms, record);
    const endpoints = rooms.networks.members.endpoints(record.id);
    const state = await pauses.stateOf(runningState(record, live, rooms.clock.now()), live);
    const restarts = record.restarts + (record.state.status === "restarting" ? 1 : 0);
    const attachments = rooms.networks.members.attachments(record.id) ?? record.request.network.attachments;
    const request = { ...record.request, network: { ...record.request.network, attachments } };
    store.put({ ...record, request, endpoints, restarts, state });
    runs.watch(record.id, live);
    if (!state.paused) probes.begin(store.get(record.id));
  }

  async #tidyNetworks(): Promise<void> {
    const { rooms, store, connections } = this.#context;
    // What was about to start, and what an earlier daemon had no time to take back.
    for (const id of rooms.networks.members.containers()) {
      if (this.#heirs.runs.find(id) === undefined && !this.#late.has(id)) await connections.disconnect(id);
    }
    const named = rooms.networks.members.containers().filter((id) => store.has(id));
    connections.openNames(named.map((id) => store.get(id)));
  }
}

/** A container that the last daemon had started but not yet written down counts from now. */
const runningState = (record: ContainerRecord, live: Live, now: number) =>
  record.state.status === "running"
    ? record.state
    : ({ status: "running", pid: live.process.pid, startedAt: now } as const);
