/** Networks that come and go, and containers that come into them and leave them, running or not. */
import type { ContainerId } from "../base/ids.ts";
import type { Locks } from "../base/lock.ts";
import { runErrand } from "../kernel/errand.ts";
import { errnoMessage } from "../kernel/numbers/errno.ts";
import type { NetworkRequest } from "../network/create.ts";
import type { Attachment, Endpoint } from "../network/endpoint.ts";
import { networkError } from "../network/errors.ts";
import { ownNames } from "../network/files.ts";
import { type EndpointChange, movePorts, planClearing, planJoin, planLeave } from "../network/live.ts";
import { moveSteps } from "../network/publish.ts";
import type { NetworkRecord } from "../network/record.ts";
import { ChangeFailure, changePlan } from "./change.ts";
import type { Connections } from "./connect.ts";
import { containerError } from "./errors.ts";
import { isStepFailure } from "./failure.ts";
import { planHosts } from "./hosts.ts";
import { openNames } from "./late-names.ts";
import type { Launcher } from "./launch.ts";
import { asksPier } from "./listings.ts";
import type { Live } from "./live.ts";
import { connectRequest } from "./network-files.ts";
import { containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerRooms } from "./rooms.ts";
import { hostnameOf } from "./spec.ts";
import type { ContainerStore } from "./store.ts";

export interface MembershipContext {
  readonly rooms: ContainerRooms;
  readonly store: ContainerStore;
  readonly connections: Connections;
  readonly launcher: Launcher;
  readonly locks: Locks;
  /** By name or id, when it is known whether it runs. */
  found(reference: string): Promise<ContainerRecord>;
  live(id: ContainerId): Live | undefined;
}

export class Memberships {
  readonly #context: MembershipContext;

  constructor(context: MembershipContext) {
    this.#context = context;
  }

  /** Holds afterwards: the containers that run have their interfaces again, whoever has taken one away. */
  async heal(): Promise<void> {
    for (const id of this.#context.rooms.networks.members.containers()) await this.healOne(id);
  }

  /** The same of one container. What cannot be healed is as it was. */
  async healOne(id: ContainerId): Promise<void> {
    const { rooms, launcher, store } = this.#context;
    const { networks } = rooms;
    const live = this.#context.live(id);
    if (live === undefined) return;
    const endpoints = networks.members.endpoints(id);
    for (const lost of networks.members.lost(id)) {
      const plan = planJoin(lost, { before: endpoints, after: endpoints }, live.process, networks.host);
      await this.#run(plan).catch(() => {});
      // A daemon that died while the container joined or left may have moved its ports already.
      const moved = moveSteps(lost);
      if (moved.length > 0) await changePlan(launcher, store.get(id), endpoints, moved, live).catch(() => {});
    }
  }

  /** Holds afterwards: the network is there, also after a power cut; or nothing of it is. */
  async create(request: NetworkRequest): Promise<NetworkRecord> {
    const { rooms, connections } = this.#context;
    const network = rooms.networks.create(request);
    try {
      await rooms.holder.wake();
      await connections.change(network);
      await rooms.database.flush();
    } catch (cause) {
      rooms.networks.remove(network, String);
      await connections.repair().catch(() => {});
      throw networkError("networkNotMade", { name: network.name, reason: reasonOf(cause) }, cause);
    }
    rooms.networks.tell("create", network);
    return network;
  }

  /** Holds afterwards: the network is gone. What the host does not let go of at once goes with the next repair. */
  async remove(reference: string): Promise<NetworkRecord> {
    const { rooms, store, connections } = this.#context;
    const network = rooms.networks.get(reference);
    rooms.networks.remove(network, (id) => (store.has(id) ? store.get(id).name : id));
    await rooms.holder.wake().catch(() => {});
    await connections.change(network).catch(() => {});
    rooms.networks.tell("destroy", network);
    return network;
  }

  /** Holds afterwards: the container is in the network, from now on if it runs, else from its next start on. */
  async connect(attachment: Attachment, reference: string): Promise<void> {
    const { rooms, store, locks } = this.#context;
    const { id } = await this.#context.found(reference);
    await locks.run(id, async () => {
      const record = store.get(id);
      checkShared(record);
      if (attachment.network === noNetwork) return this.#enterNone(record);
      if (isInNone(record)) throw containerError("privateNetwork", {});
      const network = rooms.networks.get(attachment.network);
      if (this.#find(record, network) !== undefined) {
        throw networkError("alreadyConnected", { container: record.name, name: network.name });
      }
      const asked = { ...attachment, network: network.name };
      const live = this.#context.live(id);
      const endpoints = live === undefined ? record.endpoints : await this.#join(record, asked, live);
      const attachments = [...record.request.network.attachments, asked];
      this.#save(id, live, endpoints, attachments);
      if (live !== undefined) {
        const now = store.get(id);
        this.#context.connections.renamed(now);
        const isFirst = asksPier(now.endpoints) && !asksPier(record.endpoints);
        if (isFirst) await openNames(rooms, this.#context.launcher, now, record.endpoints, live);
        rooms.networks.tell("connect", network, id);
      }
    });
  }

  /** Holds afterwards: the container is not in the network any more. */
  async disconnect(networkReference: string, reference: string): Promise<void> {
    const { rooms, store, locks } = this.#context;
    const { id } = await this.#context.found(reference);
    await locks.run(id, async () => {
      const record = store.get(id);
      checkShared(record);
      if (networkReference === noNetwork) return this.#leaveNone(record);
      const network = rooms.networks.get(networkReference);
      const asked = this.#find(record, network);
      if (asked === undefined) throw networkError("notConnected", { container: record.id, name: network.name });
      const endpoint = record.endpoints.find(({ networkId }) => networkId === network.id);
      const live = this.#context.live(id);
      const isLive = live !== undefined && endpoint !== undefined;
      const endpoints = isLive ? await this.#leave(record, endpoint, live) : record.endpoints;
      const attachments = record.request.network.attachments.filter((one) => one !== asked);
      this.#save(id, live, endpoints, attachments);
      if (isLive) this.#context.connections.renamed(store.get(id));
      if (isLive) rooms.networks.tell("disconnect", network, id);
    });
  }

  /** It has its loopback interface there, and nothing else: only what is on record changes. */
  #enterNone(record: ContainerRecord): void {
    const { name, request } = record;
    if (isInNone(record)) throw networkError("alreadyConnected", { container: name, name: noNetwork });
    if (request.network.attachments.length > 0) throw containerError("privateNetwork", {});
    this.#saveMode(record, "none");
  }

  /** From now on it is as one that has left all its networks, and can come into any. */
  #leaveNone(record: ContainerRecord): void {
    if (!isInNone(record)) throw networkError("notConnected", { container: record.id, name: noNetwork });
    this.#saveMode(record, "bridge");
  }

  #saveMode(record: ContainerRecord, mode: "none" | "bridge"): void {
    const { request } = record;
    this.#context.store.put({ ...record, request: { ...request, network: { ...request.network, mode } } });
  }

  #find({ request }: ContainerRecord, network: NetworkRecord): Attachment | undefined {
    return request.network.attachments.find((one) => this.#context.rooms.networks.find(one.network)?.id === network.id);
  }

  async #join(record: ContainerRecord, asked: Attachment, live: Live): Promise<readonly Endpoint[]> {
    const { networks, holder } = this.#context.rooms;
    await this.#context.connections.settled();
    const { joined, ...change } = networks.members.join(record.id, asked, connectRequest(record.request.network).ports);
    const { outside, ...rest } = planJoin(joined, change, live.process, networks.host);
    try {
      await holder.wake();
      const cleared = planClearing(networks.obstacles(joined)).outside;
      await this.#run({
        ...rest,
        outside: [...cleared, ...planHosts(this.#pathOf(record), change, this.#namesOf(record)), ...outside],
      });
      await this.#movePorts(record, change, live);
    } catch (cause) {
      const back = networks.members.without(record.id, joined);
      await this.#movePorts(record, back, live).catch(() => {});
      await this.#run(planLeave(joined, back, live.process)).catch(() => {});
      networks.members.leave(record.id, joined, back);
      throw networkError(
        "notJoined",
        { container: record.name, network: joined.network, reason: reasonOf(cause) },
        cause,
      );
    }
    return change.after;
  }

  async #leave(record: ContainerRecord, left: Endpoint, live: Live): Promise<readonly Endpoint[]> {
    const { networks, holder } = this.#context.rooms;
    await this.#context.connections.settled();
    const change = networks.members.without(record.id, left);
    const { outside, ...rest } = planLeave(left, change, live.process);
    try {
      await holder.wake();
      await this.#movePorts(record, change, live);
      await this.#run({
        ...rest,
        outside: [...outside, ...planHosts(this.#pathOf(record), change, this.#namesOf(record))],
      });
    } catch (cause) {
      await this.#movePorts(record, { before: change.after, after: change.before }, live).catch(() => {});
      throw networkError("notLeft", { container: record.name, network: left.network, reason: reasonOf(cause) }, cause);
    }
    networks.members.leave(record.id, left, change);
    return change.after;
  }

  /** Its keeper holds the ports: what leads to them changes there, and with it what is taken away in the end. */
  async #movePorts(record: ContainerRecord, change: EndpointChange, live: Live): Promise<void> {
    const steps = movePorts(change, this.#context.rooms.networks.host);
    if (steps.length > 0) await changePlan(this.#context.launcher, record, change.after, steps, live);
  }

  /** One that has ended meanwhile has no endpoints left. */
  #save(id: ContainerId, live: Live | undefined, endpoints: readonly Endpoint[], asked: readonly Attachment[]): void {
    const record = this.#context.store.get(id);
    const isSame = this.#context.live(id) === live;
    const { request } = record;
    const network = { ...request.network, attachments: asked };
    this.#context.store.put({ ...record, ...(isSame ? { endpoints } : {}), request: { ...request, network } });
  }

  #pathOf({ id }: ContainerRecord): string {
    return `${containerPaths(this.#context.rooms, id).directory}/hosts`;
  }

  #namesOf({ id, request }: ContainerRecord): string {
    return ownNames({ hostname: hostnameOf(request, id, this.#context.rooms.host), domainname: request.domainname });
  }

  async #run(plan: Parameters<typeof runErrand>[2]): Promise<void> {
    await runErrand(this.#context.rooms.holder, this.#context.rooms.run, plan);
  }
}

/** Whose network namespace is the host's or another container's has no networks of its own. */
const checkShared = ({ request, removing, name }: ContainerRecord): void => {
  if (removing) throw containerError("dead", { name });
  const { mode } = request.network;
  if (mode === "host" || mode === "container") throw containerError("sharedNetwork", {});
};

/** The network of those that have none. */
const noNetwork = "none";
const isInNone = ({ request }: ContainerRecord): boolean => request.network.mode === "none";

const reasonOf = (cause: unknown): string => {
  if (isStepFailure(cause) || cause instanceof ChangeFailure) return errnoMessage(cause.errno);
  return cause instanceof Error ? cause.message : String(cause);
};
