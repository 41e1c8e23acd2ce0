/** What a container is called in a network. */
import type { Endpoint } from "./endpoint.ts";

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
}

/** Its own name, what others asked to call it, its short id, its host name. */
export const namesOf = (member: Member, endpoint: Pick<Endpoint, "aliases">): readonly string[] => [
  ...new Set([member.name, ...endpoint.aliases, member.id.slice(0, 12), member.hostname]),
];
