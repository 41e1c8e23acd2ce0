/** Ports that are published, and withdrawn, while their container runs. */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { encodePlan } from "../kernel/encode.ts";
import { runErrand } from "../kernel/errand.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { type Endpoint, mainEndpoint, type PublishedPort, portsOf } from "../network/endpoint.ts";
import { explainNetworkFailure } from "../network/failure.ts";
import { bindSteps, closeSteps, publishSteps, relaySteps, withdrawSteps } from "../network/publish.ts";
import { containerError } from "./errors.ts";
import { type Live, readSpec } from "./live.ts";
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
    const published = portsOf(this.#context.rooms.networks.endpoints(id));
    const parts = isInTheWay(asked) ? [other, one] : [one, other];
    withdrawn(name, published, asked.remove);
    for (const part of parts) {
      if (part.add.length > 0) await this.#add(this.#context.store.get(id), part, live);
      if (part.remove.length > 0) await this.#remove(this.#context.store.get(id), part, live, published);
    }
  }

  async #add(record: ContainerRecord, part: PublicationChange, live: Live): Promise<void> {
    const { networks, holder, run } = this.#context.rooms;
    const avoid: PublishedPort[] = [];
    for (;;) {
      const { endpoints, added } = networks.publish(record.id, part.add, avoid);
      const main = mainEndpoint(endpoints)!;
      const outside = [...bindSteps(added), ...publishSteps(main, added, networks.host), ...relaySteps(main, added)];
      try {
        await this.#run(record, endpoints, outside, live);
        return this.#put({ ...afterChange(record, part, []), endpoints });
      } catch (error) {
        const undo = withdrawSteps(main, added, networks.host);
        networks.withdraw(record.id, added);
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
    const { networks } = this.#context.rooms;
    const main = mainEndpoint(networks.endpoints(record.id))!;
    const gone = withdrawn(record.name, main.ports, part.remove);
    const endpoints = networks
      .endpoints(record.id)
      .map((one) => (one.id === main.id ? { ...one, ports: one.ports.filter((port) => !gone.includes(port)) } : one));
    await this.#run(record, endpoints, [...withdrawSteps(main, gone, networks.host), ...closeSteps(gone)], live);
    networks.withdraw(record.id, gone);
    this.#put({ ...afterChange(record, part, published), endpoints });
  }

  /** The keeper goes on with another plan: what is to be done now, and all that is to be taken away in the end. */
  async #run(record: ContainerRecord, endpoints: readonly Endpoint[], outside: Step[], live: Live): Promise<void> {
    if (live.keeper.protocol < changesSince) throw containerError("keeperTooOld", { name: record.name });
    const after = this.#context.launcher.planAfter(record, await readSpec(live.paths), endpoints);
    const plan: Plan = { outside, inside: [], after: [...after] };
    const file = `${live.paths.plan}.next`;
    writeFileSync(`${file}.new`, encodePlan(plan), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    const { errno, step } = await live.keeper.change();
    if (existsSync(file)) rmSync(file);
    if (errno !== 0) throw new ChangeFailure(step, errno);
  }

  #put(record: ContainerRecord): void {
    this.#context.store.put(record);
  }
}

/** The first version of the keepers' protocol that can. */
const changesSince = 2;

class ChangeFailure extends Error {
  readonly step: number;
  readonly errno: number;

  constructor(step: number, errno: number) {
    super(`step ${step} of a change failed with error number ${errno}`);
    this.name = "ChangeFailure";
    this.step = step;
    this.errno = errno;
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
