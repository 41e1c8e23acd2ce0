/** What a network's names mean: the answers that its containers get. Pure. */
import type { NameEntry } from "../../kernel/name-table.ts";
import { encodeAddress, encodeName, recordTypes, reverseName } from "./wire.ts";

/** A container that others of its network know by names. */
export interface Named {
  /** The first one is what a reverse look-up answers; then the short id, aliases, and what the container calls itself. */
  readonly names: readonly string[];
  /** IPv4, IPv6, or both. */
  readonly addresses: readonly string[];
}

const typeOf = (address: Uint8Array): number => (address.length === 4 ? recordTypes.a : recordTypes.aaaa);

interface Answer {
  readonly name: string;
  readonly type: number;
  readonly value: Uint8Array;
}

/** Each name alone and with the network's behind it, as in Docker. */
const answersOf = ({ names, addresses }: Named, network: string): Answer[] => {
  const known = addresses.map(encodeAddress).filter((address) => address !== undefined);
  const spoken = new Set([...names, ...(network === "" ? [] : names.map((name) => `${name}.${network}`))]);
  const forward = [...spoken].flatMap((name) => known.map((value) => ({ name, type: typeOf(value), value })));
  const own = encodeName(network === "" ? (names[0] ?? "") : `${names[0]}.${network}`);
  const back =
    own === undefined ? [] : known.map((value) => ({ name: reverseName(value), type: recordTypes.ptr, value: own }));
  return [...forward, ...back];
};

/**
 * The entries of a network's table: a name that several containers have means all of them. Without the network's name
 * only the bare names are known: those of links.
 */
export const nameEntries = (network: string, containers: readonly Named[]): NameEntry[] => {
  const answers = containers.flatMap((container) => answersOf(container, network));
  const grouped = Map.groupBy(answers, ({ name, type }) => `${type} ${name.toLowerCase()}`);
  return [...grouped.values()].flatMap((group) => {
    const [{ name, type }] = group as [Answer, ...Answer[]];
    const wire = encodeName(name);
    return wire === undefined ? [] : [{ type, name: wire, values: distinct(group.map(({ value }) => value)) }];
  });
};

const distinct = (values: readonly Uint8Array[]): Uint8Array[] => [
  ...new Map(values.map((value) => [Buffer.from(value).toString("latin1"), value])).values(),
];
