/** Whose name is whose: chosen, free to be taken, changed. */
import type { Connections } from "./connect.ts";
import { containerError } from "./errors.ts";
import type { ContainerEvents } from "./events.ts";
import { parseName, randomName } from "./names.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerStore } from "./store.ts";

interface NamingContext {
  readonly store: ContainerStore;
  readonly connections: Connections;
  readonly events: ContainerEvents;
}

export class Namings {
  readonly #context: NamingContext;

  constructor(context: NamingContext) {
    this.#context = context;
  }

  /** The name that was asked for; one that nobody has when none was. */
  choose(asked: string | undefined): string {
    if (asked !== undefined && asked !== "") return parseName(asked);
    return randomName((name) => this.#context.store.nameOwner(name) !== undefined);
  }

  /** Throws when the name is another container's. */
  check({ id, name }: ContainerRecord): void {
    const owner = this.#context.store.nameOwner(name);
    if (owner !== undefined && owner !== id) throw containerError("nameTaken", { name, id: owner });
  }

  /** Holds afterwards: the container has this name, also on its networks and after a power cut. */
  async rename(record: ContainerRecord, name: string): Promise<void> {
    const { store, connections, events } = this.#context;
    if (record.name === name.replace(/^\//, "")) throw containerError("sameName", {});
    const renamed = { ...record, name: parseName(name) };
    this.check(renamed);
    store.put(renamed);
    connections.renamed(renamed);
    await store.flush(() => store.put({ ...store.get(record.id), name: record.name }));
    events.emit("rename", renamed, { oldName: `/${record.name}` });
  }
}
