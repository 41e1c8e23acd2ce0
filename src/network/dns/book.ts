/** Who is called what at this moment, kept in step with the tables that keepers read. */
import type { Named } from "./answers.ts";
import type { NameTables } from "./tables.ts";

/** A container's names in one of its networks. */
export interface Listing extends Named {
  readonly networkId: string;
  readonly network: string;
  /** What it calls others there, and what they are called: `alias` to a name or id. */
  readonly links: readonly { readonly alias: string; readonly target: string }[];
}

export interface BookEntry {
  readonly container: string;
  readonly listings: readonly Listing[];
  /** The resolvers that it asked for. */
  readonly servers: readonly string[];
  /** It reaches what lies outside. */
  readonly outside: boolean;
}

const domainPort = 53;

export class NameBook {
  readonly #tables: NameTables;
  readonly #entries = new Map<string, BookEntry>();
  /** By network, then by container. */
  readonly #networks = new Map<string, Map<string, Listing>>();

  constructor(tables: NameTables) {
    this.#tables = tables;
  }

  /** Holds afterwards: exactly these have names, whatever the tables of an earlier daemon say. */
  open(entries: readonly BookEntry[]): void {
    for (const entry of entries) this.#put(entry);
    this.#tables.removeOthers([...this.#networks.keys(), ...this.#entries.keys()]);
    for (const network of this.#networks.keys()) this.#writeNetwork(network);
    for (const entry of this.#entries.values()) this.#writeOwn(entry);
  }

  /** Holds afterwards: whoever reaches what lies outside finds this host at the address, by the name that Docker Desktop has. */
  enterHost(address: string): void {
    this.#tables.writeGateway(address);
  }

  /** Holds afterwards: others of its networks find the container by its names, and no longer by those it had before. */
  enter(entry: BookEntry): void {
    const before = this.#entries.get(entry.container);
    this.#take(entry.container);
    this.#put(entry);
    this.#writeOwn(entry);
    this.#writeNetworks([...(before?.listings ?? []), ...entry.listings]);
  }

  /** Holds afterwards: nobody finds it. */
  leave(container: string): void {
    const before = this.#entries.get(container);
    if (before === undefined) return;
    this.#take(container);
    this.#tables.removeContainer(container);
    this.#writeNetworks(before.listings);
  }

  /** The path of the container's own table. */
  tableOf(container: string): string {
    return this.#tables.pathOf(container);
  }

  #put(entry: BookEntry): void {
    this.#entries.set(entry.container, entry);
    for (const listing of entry.listings) {
      const listings = this.#networks.get(listing.networkId) ?? new Map<string, Listing>();
      this.#networks.set(listing.networkId, listings.set(entry.container, listing));
    }
  }

  #take(container: string): void {
    for (const { networkId } of this.#entries.get(container)?.listings ?? []) {
      this.#networks.get(networkId)?.delete(container);
    }
    this.#entries.delete(container);
  }

  /** Who calls others by names of his own has these in his own table, which may be others now. */
  #writeNetworks(listings: readonly Listing[]): void {
    for (const id of new Set(listings.map(({ networkId }) => networkId))) {
      this.#writeNetwork(id);
      for (const [container, { links }] of this.#networks.get(id) ?? []) {
        const entry = links.length === 0 ? undefined : this.#entries.get(container);
        if (entry !== undefined) this.#writeOwn(entry);
      }
    }
  }

  #writeNetwork(id: string): void {
    const [first, ...others] = this.#networks.get(id)?.values() ?? [];
    if (first === undefined) {
      this.#networks.delete(id);
      this.#tables.removeNetwork(id);
    } else {
      this.#tables.writeNetwork(id, first.network, [first, ...others]);
    }
  }

  #writeOwn({ container, listings, servers, outside }: BookEntry): void {
    this.#tables.writeContainer(container, {
      networks: listings.map(({ networkId }) => networkId),
      links: listings.flatMap((listing) => this.#linksOf(listing)),
      servers: servers.map((address) => ({ address, port: domainPort })),
      outside,
    });
  }

  #linksOf({ networkId, links }: Listing): Named[] {
    const others = [...(this.#networks.get(networkId) ?? [])];
    return links.flatMap(({ alias, target }) => {
      const [, found] = others.find(([id, { names }]) => names.includes(target) || id === target) ?? [];
      return found === undefined ? [] : [{ names: [alias], addresses: found.addresses }];
    });
  }
}
