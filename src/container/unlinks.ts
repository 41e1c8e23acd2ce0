/** Links that are taken away from who has them, as `rm --link` asks (moby, daemon/delete.go). */
import { runErrand } from "../kernel/errand.ts";
import { containerError } from "./errors.ts";
import { planUnlink } from "./hosts.ts";
import { linkNames, parseLinkName } from "./links.ts";
import { containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { LinkRequest } from "./request.ts";
import type { RunContext } from "./runs.ts";

export class Unlinks {
  readonly #context: RunContext;

  constructor(context: RunContext) {
    this.#context = context;
  }

  /** Holds afterwards: there is no such link, now and at every later start; its variables stay until the next one. */
  async unlink(reference: string): Promise<void> {
    const { store, locks } = this.#context;
    const named = parseLinkName(reference);
    if (named === undefined) {
      const { name } = store.get(reference);
      throw containerError("linkIsName", { name });
    }
    const owner = store.find(named.owner);
    if (owner === undefined) throw containerError("noSuchContainer", { name: reference });
    await locks.run(owner.id, async () => {
      const record = store.get(owner.id);
      const link = record.request.network.links.find(({ alias }) => alias === named.alias);
      if (link === undefined) throw containerError("noSuchContainer", { name: reference });
      await this.#forget(record, link);
      await this.#hide(record, link);
    });
  }

  async #forget(record: ContainerRecord, link: LinkRequest): Promise<void> {
    const { store } = this.#context;
    const links = record.request.network.links.filter((one) => one !== link);
    const network = { ...record.request.network, links };
    store.put({ ...record, request: { ...record.request, network } });
    await store.flush(() => store.put(record));
  }

  async #hide({ id, state }: ContainerRecord, { container, alias }: LinkRequest): Promise<void> {
    const { rooms, store } = this.#context;
    const other = store.find(container);
    if (other === undefined || state.status !== "running") return;
    const outside = planUnlink(`${containerPaths(rooms, id).directory}/hosts`, linkNames(other, alias));
    if (outside.length > 0) await runErrand(rooms.holder, rooms.run, { outside, inside: [], after: [] });
  }
}
