/** Containers that are made, or explained and never made: from what was asked to a record. */
import { type ContainerId, newContainerId } from "../base/ids.ts";
import type { Plan } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";
import { withNetworkOwner } from "./joined.ts";
import { withLinkedIds } from "./links.ts";
import { volumeMounts } from "./mounts.ts";
import type { Namings } from "./namings.ts";
import type { ContainerRecord } from "./record.ts";
import type { CreateRequest } from "./request.ts";
import { fitToHost, type Processors } from "./request-host.ts";
import { mergeImage } from "./request-image.ts";
import type { RunContext } from "./runs.ts";
import { commandOf } from "./spec.ts";
import { createVolumes, volumeUsers, withVolumeNames, withVolumesFrom } from "./volumes.ts";

export class Creations {
  readonly #context: RunContext;
  readonly #namings: Namings;
  readonly #processors: Processors;

  constructor(context: RunContext, namings: Namings, processors: Processors) {
    this.#context = context;
    this.#namings = namings;
    this.#processors = processors;
  }

  /** Holds afterwards: there is such a container with its volumes, on record; or nothing of it. */
  async create(asked: CreateRequest, askedName: string | undefined): Promise<{ id: ContainerId; warnings: string[] }> {
    const { rooms, store, launcher, events } = this.#context;
    const { record, image, warnings } = this.#draft(asked, this.#namings.choose(askedName));
    await launcher.check(record, image);
    this.#namings.check(record);
    const usedBy = volumeUsers(() => store.list());
    await using volumes = await createVolumes(rooms, record, image, usedBy);
    // Somebody may have been faster meanwhile.
    this.#namings.check(record);
    store.put(record);
    volumes.keep();
    // What goes with its end need not survive a power cut either.
    if (!record.request.autoRemove) await store.flush(() => store.remove(record));
    events.emit("create", record);
    return { id: record.id, warnings: [...warnings] };
  }

  /** The plan of a container that is never made. */
  async explain(asked: CreateRequest): Promise<Plan> {
    const { rooms, launcher, connections } = this.#context;
    const { record, image } = this.#draft(asked, "explained");
    const endpoints = await connections.connect(record);
    try {
      const placeOf = (name: string) => ({ path: rooms.volumes.mountpoint(name), options: [] });
      const volumes = new Map(volumeMounts(record.request).map(({ name }) => [name, placeOf(name)]));
      return (await launcher.prepare({ record, image, endpoints, volumes, ...this.#context.joined(record) })).plan;
    } finally {
      rooms.networks.members.release(record.id);
    }
  }

  /** The record of a container that nobody has heard of yet. */
  #draft(asked: CreateRequest, name: string) {
    const { rooms, store } = this.#context;
    const image = rooms.images.get(asked.image);
    const whole = mergeImage(
      withVolumesFrom(asked, (other) => this.#donor(other)),
      image.config,
    );
    const find = (reference: string) => store.find(reference);
    const own = withLinkedIds(withNetworkOwner(withVolumeNames(whole), find, rooms.host), find);
    const { request, warnings } = fitToHost(this.#withRuntime(own), rooms.host, this.#processors);
    const record: ContainerRecord = {
      id: newContainerId(),
      name,
      created: rooms.clock.now(),
      request,
      image: { id: image.id, reference: asked.image },
      command: commandOf(request),
      endpoints: [],
      state: { status: "created" },
      restarts: 0,
    };
    return { record, image, warnings };
  }

  /** With the runtime that it will always have, as in Docker, whatever becomes of the default. */
  #withRuntime({ runtime: asked, ...request }: CreateRequest): CreateRequest {
    const runtime = this.#context.rooms.runtimes.choose(asked);
    return runtime === undefined ? request : { ...request, runtime };
  }

  /** The container whose volumes another one asks for. */
  #donor(reference: string): ContainerRecord {
    try {
      return this.#context.store.get(reference);
    } catch (cause) {
      throw containerError("noSuchDonor", { name: reference }, cause);
    }
  }
}
