/** Ports that are published, and withdrawn, while their container runs. */
import { runErrand } from "../kernel/errand.ts";
import { mainEndpoint, type PublishedPort, portsOf, publishingEndpoint } from "../network/endpoint.ts";
import { explainNetworkFailure } from "../network/failure.ts";
import { bindSteps, closeSteps, publishSteps, relaySteps, withdrawSteps } from "../network/publish.ts";
import { ChangeFailure, changePlan } from "./change.ts";
import { containerError } from "./errors.ts";
import type { Live } from "./live.ts";
import { afterChange, isInTheWay, type PublicationChange, withdrawn } from "./publications.ts";
import type { ContainerRecord } from "./record.ts";
import type { RunContext } from "./runs.ts";

export class Publisher {
  readonly #context: RunContext;

  constructor(context: RunContext) {
    this.#context = context;
  }

  /** Holds afterwards: the ports are as asked, now if the container runs and at every later start. */
  async change(before: ContainerRecord, asked: PublicationChange, live: Live | undefined): Promise<void> {
    if (asked.add.length === 0 && asked.remove.length === 0) return;
    const { id, name, request } = before;
    if (request.network.mode !== "bridge") throw containerError("publishNeedsNetwork", { name });
    if (live === undefined) {
      withdrawn(name, request.network.ports.flatMap(asPublished), asked.remove);
      return this.#put(afterChange(before, asked, []));
    }
    const one: PublicationChange = { add: asked.add, remove: [] };
    const other: PublicationChange = { add: [], remove: asked.remove };
    const published = portsOf(this.#context.rooms.networks.members.endpoints(id));
    const parts = isInTheWay(asked) ? [other, one] : [one, other];
    withdrawn(name, published, asked.remove);
    for (const part of parts) {
      if (part.add.length > 0) await this.#add(this.#context.store.get(id), part, live);
      if (part.remove.length > 0) await this.#remove(this.#context.store.get(id), part, live, published);
    }
  }

  async #add(record: ContainerRecord, part: PublicationChange, live: Live): Promise<void> {
    const { launcher, rooms } = this.#context;
    const { networks, holder, run } = rooms;
    const avoid: PublishedPort[] = [];
    for (;;) {
      const { endpoints, added } = networks.members.publish(record.id, part.add, avoid);
      const main = mainEndpoint(endpoints)!;
      const outside = [...bindSteps(added), ...publishSteps(main, added, networks.host), ...relaySteps(main, added)];
      try {
        await changePlan(launcher, record, endpoints, outside, live);
        return this.#put({ ...afterChange(record, part, []), endpoints });
      } catch (error) {
        const undo = withdrawSteps(main, added, networks.host);
        networks.members.withdraw(record.id, added);
        // The keeper has closed what it had opened; what the table has of it goes too, unless it was somebody else's.
        const failed = error instanceof ChangeFailure ? outside[error.step] : undefined;
        if (failed?.step !== "bindPort" && undo.length > 0) {
          await runErrand(holder, run, { outside: undo, inside: [], after: [] }).catch(() => {});
        }
        const failure =
          failed === undefined || !(error instanceof ChangeFailure)
            ? undefined
            : explainNetworkFailure(endpoints, record.name, failed, error.errno, error);
        if (
          failure?.kind !== "taken" ||
          part.add.every(({ hostPortFirst, hostPortLast }) => hostPortFirst === hostPortLast && hostPortFirst > 0)
        ) {
          throw failure !== undefined && "error" in failure ? failure.error : error;
        }
        avoid.push(failure.port);
      }
    }
  }

  async #remove(
    record: ContainerRecord,
    part: PublicationChange,
    live: Live,
    published: readonly PublishedPort[],
  ): Promise<void> {
    const { launcher, rooms } = this.#context;
    const { networks } = rooms;
    const main = publishingEndpoint(networks.members.endpoints(record.id))!;
    const gone = withdrawn(record.name, main.ports, part.remove);
    const endpoints = networks.members
      .endpoints(record.id)
      .map((one) => (one.id === main.id ? { ...one, ports: one.ports.filter((port) => !gone.includes(port)) } : one));
    const outside = [...withdrawSteps(main, gone, networks.host), ...closeSteps(gone)];
    await changePlan(launcher, record, endpoints, outside, live);
    networks.members.withdraw(record.id, gone);
    this.#put({ ...afterChange(record, part, published), endpoints });
  }

  #put(record: ContainerRecord): void {
    this.#context.store.put(record);
  }
}

/** What does not run has no ports: those that it asks for by number can be told. */
const asPublished = (request: ContainerRecord["request"]["network"]["ports"][number]): PublishedPort[] =>
  Array.from({ length: request.hostPortLast - request.hostPortFirst + 1 }, (_, index) => ({
    protocol: request.protocol,
    hostAddress: request.hostAddress,
    hostPort: request.hostPortFirst + index,
    containerPort: request.containerPort,
  }));
