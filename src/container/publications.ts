/** Which ports are to be published, and no longer, by a container that is there already. Pure. */
import type { PublishedPort } from "../network/endpoint.ts";
import { familyOf, isAny } from "../network/published.ts";
import { containerError } from "./errors.ts";
import type { ContainerRecord } from "./record.ts";
import type { PortProtocol, PortRequest } from "./request.ts";
import { checkHostAddress, parsePort, parsePorts } from "./request-network.ts";

/** A port of the host, at one address of it or ("") at all of them. */
export interface HostPort {
  readonly address: string;
  readonly port: number;
  readonly protocol: PortProtocol;
}

export interface PublicationChange {
  readonly add: readonly PortRequest[];
  readonly remove: readonly HostPort[];
}

type PortMap = NonNullable<Parameters<typeof parsePorts>[0]["PortBindings"]>;

/** `9090`, `9090/udp`, `127.0.0.1:9090`, `[::1]:9090/tcp`. */
const parseHostPort = (text: string): HostPort => {
  const colon = text.lastIndexOf(":");
  const { first, last, protocol } = parsePort(text.slice(colon + 1));
  if (first !== last) throw containerError("invalidPort", { port: text });
  return { address: checkHostAddress(text.slice(0, Math.max(colon, 0))), port: first, protocol };
};

export const parsePublications = (add: PortMap, remove: readonly string[]): PublicationChange => ({
  add: parsePorts({ PortBindings: add }),
  remove: remove.map(parseHostPort),
});

const isAt = ({ address, port, protocol }: HostPort, published: PublishedPort): boolean =>
  published.protocol === protocol &&
  published.hostPort === port &&
  (address === "" || published.hostAddress === address);

/** Those of the published ports that shall be no longer; an error for one that is not published. */
export const withdrawn = (
  container: string,
  published: readonly PublishedPort[],
  remove: readonly HostPort[],
): readonly PublishedPort[] => {
  for (const one of remove) {
    if (!published.some((port) => isAt(one, port))) {
      throw containerError("notPublished", { port: `${one.port}/${one.protocol}`, container });
    }
  }
  return published.filter((port) => remove.some((one) => isAt(one, port)));
};

const isAskedFor = (request: PortRequest, { port, protocol, address }: HostPort, found: readonly PublishedPort[]) => {
  if (request.protocol !== protocol || (address !== "" && request.hostAddress !== address)) return false;
  if (request.hostPortFirst <= port && port <= request.hostPortLast) return true;
  return (
    request.hostPortFirst === 0 &&
    found.some(
      (one) => one.hostPort === port && one.protocol === protocol && one.containerPort === request.containerPort,
    )
  );
};

/** What the container asks for from now on, at every start. */
export const afterChange = (
  record: ContainerRecord,
  { add, remove }: PublicationChange,
  published: readonly PublishedPort[],
): ContainerRecord => {
  const { network } = record.request;
  const kept = network.ports.filter((request) => !remove.some((one) => isAskedFor(request, one, published)));
  return { ...record, request: { ...record.request, network: { ...network, ports: [...kept, ...add] } } };
};

/** A port that is to be withdrawn is where another one is to be: that one must go first. */
export const isInTheWay = ({ add, remove }: PublicationChange): boolean =>
  add.some(({ hostPortFirst, hostPortLast, protocol, hostAddress }) =>
    remove.some(
      ({ port, protocol: other, address }) =>
        other === protocol &&
        hostPortFirst <= port &&
        port <= hostPortLast &&
        (address === "" || hostAddress === "" || isAny(hostAddress) || familyOf(address) === familyOf(hostAddress)),
    ),
  );
