/** The tables of names on disk, where keepers read them: one for each network, one for each container, two for the host. */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeEntries, encodeNameTable, type NameEntry, ownTypes } from "../../kernel/name-table.ts";
import { type Named, nameEntries } from "./answers.ts";
import type { Server } from "./upstream.ts";
import { encodeAddress, recordTypes } from "./wire.ts";

/** What a container's own table says: whose names it knows, and who is asked for others. */
export interface ContainerNames {
  /** The ids of its networks; the first that knows a name answers. */
  readonly networks: readonly string[];
  /** Names that only this container knows. */
  readonly links: readonly Named[];
  /** The servers that it asked for, which are asked from its own network. */
  readonly servers: readonly Server[];
  /** It reaches what lies outside: the rest may be asked. Otherwise it is told nothing (CVE-2024-29018). */
  readonly outside: boolean;
}

const hostTable = "host";
const gatewayTable = "gateway";
const socketName = "sock";

const rootName = Uint8Array.of(0);
const own = (type: keyof typeof ownTypes, values: readonly Uint8Array[]): NameEntry => ({
  type: ownTypes[type],
  name: rootName,
  values,
});
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const serverEntry = (servers: readonly Server[], isInside: boolean): NameEntry =>
  own(
    "server",
    servers.flatMap(({ address, port }) => {
      const bytes = encodeAddress(address);
      return bytes === undefined ? [] : [Uint8Array.of(isInside ? 1 : 0, port >>> 8, port & 255, ...bytes)];
    }),
  );

/** Files of `<run>`: whole at every moment, and gone with the machine. */
const writeTable = (path: string, entries: readonly NameEntry[]): void => {
  writeFileSync(`${path}.new`, encodeNameTable([encodeEntries(entries)]), { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

export class NameTables {
  readonly #directory: string;

  /** `directory` is made; `<run>/names`. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
  }

  /** Where the daemon answers what is in no table. */
  get resolverPath(): string {
    return this.pathOf(socketName);
  }

  writeNetwork(id: string, name: string, containers: readonly Named[]): void {
    writeTable(this.pathOf(id), nameEntries(name, containers));
  }

  removeNetwork(id: string): void {
    rmSync(this.pathOf(id), { force: true });
  }

  /** Whom to ask what is in no table: the daemon, and without one the host's servers. */
  writeHost(servers: readonly Server[]): void {
    writeTable(join(this.#directory, "host"), [
      own("resolver", [text(this.resolverPath)]),
      serverEntry(servers, false),
    ]);
  }

  /** By which address containers reach this host, "" where by none: whoever reaches what lies outside asks for it by name. */
  writeGateway(address: string): void {
    const named = { names: ["host.docker.internal"], addresses: [address] };
    writeTable(
      this.pathOf(gatewayTable),
      nameEntries("", [named]).filter(({ type }) => type !== recordTypes.ptr),
    );
  }

  writeContainer(id: string, names: ContainerNames): void {
    const asksHost = names.outside && names.servers.length === 0;
    // The first that knows a name answers: a container of the host's name is meant before the host.
    const others = [...(names.outside ? [gatewayTable] : []), ...(asksHost ? [hostTable] : [])];
    const tables = [...names.networks, ...others].map((name) => text(this.pathOf(name)));
    writeTable(this.pathOf(id), [
      ...nameEntries("", names.links).filter(({ type }) => type !== recordTypes.ptr),
      own("table", tables),
      serverEntry(names.outside ? names.servers : [], true),
    ]);
  }

  removeContainer(id: string): void {
    rmSync(this.pathOf(id), { force: true });
  }

  /** Holds afterwards: of networks and containers, only these have tables. */
  removeOthers(kept: readonly string[]): void {
    const known = new Set([...kept, hostTable, gatewayTable, socketName]);
    for (const name of readdirSync(this.#directory)) {
      if (!known.has(name)) rmSync(this.pathOf(name), { force: true });
    }
  }

  /** Of a network or a container, by its id. */
  pathOf(id: string): string {
    return join(this.#directory, id);
  }
}
