/** How a container comes into its network and leaves it, also when somebody has taken the network or a port away. */
import { setImmediate } from "node:timers/promises";
import type { ContainerId } from "../base/ids.ts";
import { runErrand } from "../kernel/errand.ts";
import type { Plan } from "../kernel/steps.ts";
import { openIptables } from "../network/doors.ts";
import type { Endpoint, PublishedPort } from "../network/endpoint.ts";
import { explainNetworkFailure, type NetworkFailure } from "../network/failure.ts";
import { planClearing } from "../network/live.ts";
import type { NetworkRecord } from "../network/record.ts";
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
  /** Repairs and changes of networks that run or wait for their turn: none may plan with what another is about to change. */
  #turns: Promise<void> = Promise.resolve();
  /** The one whose plan is made and not yet carried out: what is connected now would not be in it. */
  #underway: Promise<unknown> | undefined;
  /** Those whose ports a repair may have brought back when they were gone already. */
  readonly #repaired = new Set<ContainerId>();
  /** Those whose ports no repair brings back any more. */
  readonly #leaving = new Set<ContainerId>();

  constructor(rooms: ContainerRooms) {
    this.#rooms = rooms;
  }

  /** Holds afterwards: the bridge and the firewall's table are there, with what is connected now and nothing else. */
  async repair(): Promise<void> {
    await this.#inTurn(() => this.#prepare());
  }

  /**
   * Holds afterwards: the host has what a network needs that is new on record, or nothing of one that has gone from it; by
   * a change of this network alone, or by a repair where the host is not as it was left.
   */
  async change(network: NetworkRecord): Promise<void> {
    if (network.driver !== "bridge") return;
    const { holder, run, networks } = this.#rooms;
    await this.#inTurn(async () => {
      // The older firewalls tell nobody what they have begun to drop: whoever needs them open looks.
      const opened = this.#openDoors();
      const changed = runErrand(holder, run, networks.change(network)).then(
        () => {},
        () => this.#prepare(),
      );
      await Promise.all([opened, changed]);
    });
  }

  /** Where a firewall cannot be asked or does not listen, `pier check` says what its owner can do. */
  async #openDoors(): Promise<void> {
    await openIptables(this.#rooms.networks.host.name).catch(() => {});
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turns.then(work);
    this.#turns = turn.catch(() => {});
    await turn;
  }

  /** Resolves when no repair is under way. */
  async settled(): Promise<void> {
    while (this.#underway !== undefined) await this.#underway.catch(() => {});
  }

  async #prepare(): Promise<void> {
    const { holder, run, networks, names } = this.#rooms;
    // Whoever has waited for the last one comes first, and is in this one's plan: with many, they would wait for all.
    await setImmediate();
    for (const id of networks.members.containers()) if (!this.#leaving.has(id)) this.#repaired.add(id);
    const plan = networks.prepare(this.#leaving);
    names.enterHost(networks.hostGateway());
    this.#underway = runErrand(holder, run, plan);
    try {
      await this.#underway;
    } finally {
      this.#underway = undefined;
    }
    await this.#openDoors();
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
        if (failure.kind === "lingering" && cleared) throw failure.error ?? error;
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
          const { holder, run, networks } = this.#rooms;
          await runErrand(holder, run, planClearing(endpoints.flatMap((one) => networks.obstacles(one))));
        } else {
          avoid.push(failure.port);
          const { error } = failure;
          const others = await this.#withdrawn(record.id, () => this.#connectAround(record.id, avoid, error));
          endpoints = this.#named(record, others);
        }
      }
    }
  }

  /** Holds afterwards: nothing leads to the container any more, and what it had can be given to others. */
  async disconnect(id: ContainerId): Promise<void> {
    const { networks, names } = this.#rooms;
    await this.#withdrawn(id, () => {
      names.leave(id);
      networks.members.release(id);
    });
  }

  /** Its after lane has run, but a repair that was planned before may have brought its ports back: without them from here. */
  async #withdrawn<T>(id: ContainerId, from: () => T): Promise<T> {
    const { holder, run, networks } = this.#rooms;
    this.#leaving.add(id);
    try {
      if (this.#repaired.delete(id)) {
        await this.settled();
        const outside = networks.plan(networks.members.endpoints(id)).after;
        if (outside.length > 0) await runErrand(holder, run, { outside, inside: [], after: [] }).catch(() => {});
      }
      return from();
    } finally {
      this.#leaving.delete(id);
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
