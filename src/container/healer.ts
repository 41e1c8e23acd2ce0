/** What others do to the host's networking while the daemon runs: as far as it is ours it is healed, at once. */
import { setTimeout } from "node:timers/promises";
import type { ContainerId } from "../base/ids.ts";
import type { Locks } from "../base/lock.ts";
import { type ChangeListener, type Changes, listenForChanges } from "../kernel/changes.ts";
import { openDoors } from "../network/firewalls.ts";
import type { Connections } from "./connect.ts";
import type { Memberships } from "./memberships.ts";
import { nextWait } from "./restart.ts";
import type { ContainerRooms } from "./rooms.ts";

interface HealerContext {
  readonly rooms: ContainerRooms;
  readonly connections: Connections;
  readonly memberships: Memberships;
  readonly locks: Locks;
}

/** What may have happened while nobody listened. */
const anything: Changes = { links: new Set(), anyLink: true, ownRules: true, otherRules: true };

export class Healer {
  readonly #context: HealerContext;
  readonly #closing = new AbortController();
  readonly #listening: Promise<void>;
  #healing: Promise<void> = Promise.resolve();

  /** Heals from now on. */
  constructor(context: HealerContext) {
    this.#context = context;
    this.#listening = this.#keepListening();
  }

  /** When the keeper that listens has ended, killed by somebody, another one listens, and what happened meanwhile is healed. */
  async #keepListening(): Promise<void> {
    const { rooms } = this.#context;
    const { signal } = this.#closing;
    let wait: number | undefined;
    while (!signal.aborted) {
      const began = rooms.clock.monotonic();
      await this.#listen(wait === undefined);
      wait = nextWait(wait, rooms.clock.monotonic() - began);
      await setTimeout(wait, undefined, { signal }).catch(() => {});
    }
  }

  /** Until the listener has ended; where there can be none, the next start and the next daemon heal. */
  async #listen(isFirst: boolean): Promise<void> {
    const { holder, run, networks } = this.#context.rooms;
    const { signal } = this.#closing;
    let hasMissed = !isFirst;
    let listener: ChangeListener;
    try {
      await holder.wake();
      if (signal.aborted) return;
      listener = listenForChanges(holder, run, networks.host.name, (changes) => {
        const told = hasMissed ? anything : changes;
        hasMissed = false;
        // What cannot be healed now is tried again after the next change, and by the next start.
        this.#healing = this.#healing.then(() => this.#heal(told)).catch(() => {});
      });
    } catch {
      return;
    }
    const close = () => listener.close();
    signal.addEventListener("abort", close);
    await listener.ended;
    signal.removeEventListener("abort", close);
  }

  /** Holds afterwards: nothing is healed any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#listening;
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
