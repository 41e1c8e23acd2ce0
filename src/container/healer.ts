/** What others do to the host's networking while the daemon runs: as far as it is ours it is healed, at once. */
import type { ContainerId } from "../base/ids.ts";
import type { Locks } from "../base/lock.ts";
import { type ChangeListener, type Changes, listenForChanges } from "../kernel/changes.ts";
import { openDoors } from "../network/firewalls.ts";
import type { Connections } from "./connect.ts";
import type { Memberships } from "./memberships.ts";
import type { ContainerRooms } from "./rooms.ts";

interface HealerContext {
  readonly rooms: ContainerRooms;
  readonly connections: Connections;
  readonly memberships: Memberships;
  readonly locks: Locks;
}

export class Healer {
  readonly #context: HealerContext;
  readonly #listener: ChangeListener | undefined;
  #healing: Promise<void> = Promise.resolve();

  /** Heals from now on. */
  constructor(context: HealerContext) {
    this.#context = context;
    this.#listener = this.#listen();
  }

  /** Where nobody can listen, the next start and the next daemon heal. */
  #listen(): ChangeListener | undefined {
    const { holder, run, networks } = this.#context.rooms;
    try {
      return listenForChanges(holder, run, networks.host.name, (changes) => {
        // What cannot be healed now is tried again after the next change, and by the next start.
        this.#healing = this.#healing.then(() => this.#heal(changes)).catch(() => {});
      });
    } catch {
      return undefined;
    }
  }

  /** Holds afterwards: nothing is healed any more. */
  async close(): Promise<void> {
    this.#listener?.close();
    await this.#healing;
  }

  async #heal({ links, anyLink, ownRules, otherRules }: Changes): Promise<void> {
    const { rooms, connections, locks } = this.#context;
    // Of containers that have ended nothing is on record any more.
    const isOurs = anyLink || rooms.networks.hasAnyOf(links);
    // One that is just starting or ending is at its bridge not yet, or not any more: whoever starts it sees to that.
    const settled = rooms.networks.members.containers().filter((id) => !locks.isBusy(id));
    if (ownRules || (isOurs && !rooms.networks.isWhole(settled))) await connections.repair();
    if (otherRules) await openDoors(rooms.networks.host.name);
    if (!isOurs) return;
    for (const id of rooms.networks.members.containers()) this.#rejoin(id);
  }

  /** A container to which something is being done comes later; nobody waits for it. */
  #rejoin(id: ContainerId): void {
    const { rooms, memberships, locks } = this.#context;
    if (rooms.networks.members.lost(id).length === 0) return;
    void locks.run(id, () => memberships.healOne(id)).catch(() => {});
  }
}
