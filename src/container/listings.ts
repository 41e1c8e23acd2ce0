/** What others call a container, as the book of names takes it. */
import type { BookEntry } from "../network/dns/book.ts";
import type { Attachment, Endpoint } from "../network/endpoint.ts";
import { namesOf } from "../network/names.ts";
import { defaultNetwork } from "../network/record.ts";
import type { ContainerRecord } from "./record.ts";
import { hostnameOf } from "./spec.ts";

/** Names are the affair of networks that somebody made; in the default one, as in Docker, containers have none. */
const hasNames = ({ network }: Pick<Endpoint, "network">): boolean => network !== defaultNetwork;

/** Its /etc/resolv.conf leads to pier. */
export const asksPier = (endpoints: readonly Endpoint[]): boolean => endpoints.some(hasNames);

export const bookEntry = (
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  host: { readonly hostname: string },
): BookEntry => {
  const { id, name, request } = record;
  const member = { id, name, hostname: hostnameOf(request, id, host) };
  return {
    container: id,
    listings: endpoints.filter(hasNames).map((endpoint) => ({
      networkId: endpoint.networkId,
      network: endpoint.network,
      names: namesOf(member, endpoint),
      addresses: [endpoint.address, endpoint.address6].filter((address) => address !== ""),
      links: request.network.attachments.find((one) => isOf(one, endpoint))?.links.map(parseLink) ?? [],
    })),
    servers: request.network.dns,
    outside: endpoints.some(({ gateway, gateway6 }) => gateway !== "" || gateway6 !== ""),
  };
};

const isOf = ({ network }: Attachment, endpoint: Endpoint): boolean =>
  network === endpoint.network || (network !== "" && endpoint.networkId.startsWith(network));

/** `container:alias`, or a container under its own name. */
const parseLink = (link: string): { readonly target: string; readonly alias: string } => {
  const [target = "", alias = target] = link.split(":");
  return { target, alias };
};
