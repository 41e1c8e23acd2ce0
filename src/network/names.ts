/** Who is called what in each network: what name resolution answers from. Pure values, made anew whenever something changes. */
import type { Endpoint } from "./endpoint.ts";

/** A running container, as far as its names go. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly endpoints: readonly Endpoint[];
}

/** "" where it has none of the family. */
export interface NamedAddress {
  readonly container: string;
  readonly address: string;
  readonly address6: string;
}

/** By the network's id, and then by name in lower case: several containers may share an alias. */
export type NetworkNames = ReadonlyMap<string, ReadonlyMap<string, readonly NamedAddress[]>>;

/** The names of a container in one network: its own, what others asked to call it, its short id, its host name. */
export const namesOf = (member: Omit<Member, "endpoints">, endpoint: Pick<Endpoint, "aliases">): readonly string[] => [
  ...new Set([member.name, ...endpoint.aliases, member.id.slice(0, 12), member.hostname]),
];

export const networkNames = (members: readonly Member[]): NetworkNames => {
  const networks = new Map<string, Map<string, NamedAddress[]>>();
  for (const member of members) {
    for (const endpoint of member.endpoints) {
      const names = networks.get(endpoint.networkId) ?? new Map<string, NamedAddress[]>();
      networks.set(endpoint.networkId, names);
      const { address, address6 } = endpoint;
      for (const name of namesOf(member, endpoint).map((one) => one.toLowerCase())) {
        names.set(name, [...(names.get(name) ?? []), { container: member.id, address, address6 }]);
      }
    }
  }
  return networks;
};
