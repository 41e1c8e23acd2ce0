/** How a container comes into its network and leaves it, also when somebody has taken the network or a port away. */
import type { ContainerId } from "../base/ids.ts";
import { runErrand } from "../kernel/errand.ts";
import type { Plan } from "../kernel/steps.ts";
import { openIptables } from "../network/doors.ts";
import type { Endpoint, PublishedPort } from "../network/endpoint.ts";
import { explainNetworkFailure, type NetworkFailure } from "../network/failure.ts";
import { planClearing } from "../network/live.ts";
import { isStepFailure } from "./failure.ts";
import { asksPier, bookEntry } from "./listings.ts";
import { cleanAfter, clearRun } from "./live.ts";
import { connectRequest } from "./network-files.ts";
import { containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerRooms } from "./rooms.ts";

/** A start with the endpoints that it is given; says by `plan` what it tried. */
export interface Attempt<T> {
  run(endpoints: readonly Endpoint[]): Promise<T>;
  plan(): Plan;
}

export class Connections {
  readonly #rooms: ContainerRooms;
  #repair: Promise<void> | undefined;
  /** Those whose ports a repair may have brought back when they were gone already. */
  readonly #repaired = new Set<ContainerId>();

  constructor(rooms: ContainerRooms) {
    this.#rooms = rooms;
  }

  /** Holds afterwards: the bridge and the firewall's table are there, with what is connected now and nothing else. */
  async repair(): Promise<void> {
    const repair = (this.#repair ?? Promise.resolve()).catch(() => {}).then(() => this.#prepare());
    this.#repair = repair;
    try {
      await repair;
    } finally {
      if (this.#repair === repair) this.#repair = undefined;
    }
  }

  /** Resolves when no repair runs: what is connected while one does would not be in it. */
  async settled(): Promise<void> {
    while (this.#repair !== undefined) await this.#repair.catch(() => {});
  }

  async #prepare(): Promise<void> {
    const { holder, run, networks } = this.#rooms;
    for (const id of networks.members.containers()) this.#repaired.add(id);
    await runErrand(holder, run, networks.prepare());
    // Where a firewall cannot be asked or does not listen, `pier check` says what its owner can do.
    await openIptables(networks.host.name).catch(() => {});
  }

  /** Holds afterwards: the container has its addresses and its ports; none where its network is not ours. */
  async connect(record: ContainerRecord): Promise<readonly Endpoint[]> {
    const { id, request } = record;
    if (request.network.attachments.length === 0) return [];
    await this.settled();
    return this.#named(record, this.#rooms.networks.members.connect(id, connectRequest(request.network)));
  }

  /** Holds afterwards: those of the networks that still run have their names, and nobody else has. */
  openNames(records: readonly ContainerRecord[]): void {
    const { names, networks, host } = this.#rooms;
    names.open(
      records
        .filter(({ id }) => asksPier(networks.members.endpoints(id)))
        .map((record) => bookEntry(record, networks.members.endpoints(record.id), host)),
    );
  }

  /** Holds afterwards: others of its networks find it by the names that it has now, if it has any. */
  renamed(record: ContainerRecord): void {
    const { names, networks } = this.#rooms;
    const endpoints = networks.members.endpoints(record.id);
    if (asksPier(endpoints)) this.#named(record, endpoints);
    else names.leave(record.id);
  }

  /** Before it runs: whoever hears of it may look for it at once. */
  #named(record: ContainerRecord, endpoints: readonly Endpoint[]): readonly Endpoint[] {
    if (asksPier(endpoints)) this.#rooms.names.enter(bookEntry(record, endpoints, this.#rooms.host));
    else this.#rooms.names.leave(record.id);
    return endpoints;
  }

  /**
   * Connects the container and runs the attempt: again when the network had to be repaired, and with other ports as
   * long as somebody else turns out to hold one and the request leaves a choice.
   */
  async start<T>(record: ContainerRecord, attempt: Attempt<T>): Promise<T> {
    const avoid: PublishedPort[] = [];
    let endpoints = await this.connect(record);
    for (let repaired = false, cleared = false; ; ) {
      try {
        return await attempt.run(endpoints);
      } catch (error) {
        const failure = explain(record, endpoints, error, attempt.plan());
        if (failure === undefined || (failure.kind === "unprepared" && repaired)) throw error;
        if (failure.kind === "lingering" && cleared) throw error;
        if (failure.kind === "final") throw failure.error;
        const paths = containerPaths(this.#rooms, record.id);
        await cleanAfter(this.#rooms.holder, paths);
        clearRun(paths);
        if (failure.kind === "unprepared") {
          repaired = true;
          // The kernel takes its time to remove the interface of the old address: it gets another one.
          await this.disconnect(record.id);
          await this.repair();
          endpoints = await this.connect(record);
        } else if (failure.kind === "lingering") {
          cleared = true;
          // A static address has no other name for its interface. Nobody else can have one of that name: the address is ours.
          await runErrand(this.#rooms.holder, this.#rooms.run, planClearing(endpoints));
        } else {
          avoid.push(failure.port);
          await this.#withdraw(record.id);
          endpoints = this.#named(record, this.#connectAround(record.id, avoid, failure.error));
        }
      }
    }
  }

  /** Holds afterwards: nothing leads to the container any more, and what it had can be given to others. */
  async disconnect(id: ContainerId): Promise<void> {
    const { networks, names } = this.#rooms;
    await this.#withdraw(id);
    names.leave(id);
    networks.members.release(id);
  }

  /** Its after lane has run, but a repair that was planned while it was connected may have brought its ports back. */
  async #withdraw(id: ContainerId): Promise<void> {
    const { holder, run, networks } = this.#rooms;
    while (this.#repaired.delete(id)) {
      await this.#repair?.catch(() => {});
      const outside = networks.plan(networks.members.endpoints(id)).after;
      if (outside.length > 0) await runErrand(holder, run, { outside, inside: [], after: [] }).catch(() => {});
    }
  }

  /** That the port is taken is what a person is told; that no other is left is only why. */
  #connectAround(id: ContainerId, avoid: readonly PublishedPort[], taken: Error): readonly Endpoint[] {
    try {
      return this.#rooms.networks.members.connectAround(id, avoid);
    } catch {
      throw taken;
    }
  }
}

const explain = (
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  error: unknown,
  plan: Plan,
): NetworkFailure | undefined => {
  if (!isStepFailure(error) || error.lane !== "outside") return undefined;
  const step = plan.outside[error.index];
  return step && explainNetworkFailure(endpoints, record.name, step, error.errno, error);
};
