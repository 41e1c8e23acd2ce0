/**
 * Links on the default network, where containers have no names for each other: who is linked to another one finds it by
 * an alias in its /etc/hosts, and by variables (moby, daemon/links).
 */
import { defaultNetwork } from "../network/record.ts";
import { containerError } from "./errors.ts";
import type { ContainerRecord } from "./record.ts";
import type { CreateRequest, LinkRequest } from "./request.ts";

/** Another container, as the one that is linked to it finds it. */
export interface LinkedContainer {
  readonly address: string;
  /** Its alias, its own host name and its name. */
  readonly names: readonly string[];
  readonly env: readonly string[];
}

type Find = (reference: string) => ContainerRecord | undefined;

/** `name`, `name:alias`, or `/name:/container/alias`, as an inspection has shown it. */
export const parseLink = (text: string): LinkRequest => {
  const [name = "", alias = name, ...rest] = text.split(":");
  if (name === "" || alias === "" || rest.length > 0) throw containerError("invalidLink", { link: text });
  const link = name.startsWith("/")
    ? { container: name.slice(1), alias: alias.slice(alias.lastIndexOf("/") + 1) }
    : { container: name, alias };
  // It becomes a word of /etc/hosts and the beginning of variables.
  if (!/^[^\s#=/\u0000-\u001f\u007f]+$/.test(link.alias)) throw containerError("invalidLink", { link: text });
  return link;
};

/** The same request with the ids of the containers that it is to be linked to: their names may change. */
export const withLinkedIds = (request: CreateRequest, find: Find): CreateRequest => {
  const { network } = request;
  const links = network.links.map(({ container, alias }) => {
    const other = find(container);
    // Not a 404: clients would take it for a missing image.
    if (other === undefined) throw containerError("linkUnknown", { name: container });
    if (other.request.network.mode === "host") throw containerError("linkToHost", {});
    return { container: other.id, alias };
  });
  return { ...request, network: { ...network, links } };
};

/** `/name:/container/alias` of those that there still are. */
export const linkTexts = ({ name, request }: ContainerRecord, find: Find): readonly string[] =>
  request.network.links.flatMap(({ container, alias }) => {
    const other = find(container);
    return other === undefined ? [] : [`/${other.name}:/${name}/${alias}`];
  });

/** A link by its name, `web/store`: who has it, and by which alias; undefined for the name of a container. */
export const parseLinkName = (text: string): { readonly owner: string; readonly alias: string } | undefined => {
  const [, owner, alias] = /^\/?([^/]+)\/([^/]+)$/.exec(text) ?? [];
  return owner === undefined || alias === undefined ? undefined : { owner, alias };
};

/** All the names of each of these containers: its own, and those of the links to it. */
export const namesAmong = (
  records: readonly ContainerRecord[],
): ((record: Pick<ContainerRecord, "id" | "name">) => readonly string[]) => {
  const ofLinks = new Map<string, string[]>();
  for (const { name, request } of records) {
    for (const { container, alias } of request.network.links) {
      ofLinks.set(container, [...(ofLinks.get(container) ?? []), `/${name}/${alias}`]);
    }
  }
  return ({ id, name }) => [`/${name}`, ...(ofLinks.get(id) ?? [])];
};

/** Those that the container is linked to, which must run; who was removed is forgotten. */
export const linkedOf = (record: ContainerRecord, find: Find): readonly LinkedContainer[] =>
  record.request.network.links.flatMap(({ container, alias }) => {
    const other = find(container);
    if (other === undefined) return [];
    const link = `/${record.name}/${alias}`;
    if (other.state.status !== "running") throw containerError("linkStopped", { name: other.name, link });
    const address = defaultAddress(other);
    if (address === undefined) throw containerError("linkElsewhere", { name: other.name });
    return [{ address, names: linkNames(other, alias), env: linkEnv(other, link, alias, address) }];
  });

/** Where others of the default network reach it. */
export const defaultAddress = ({ endpoints }: ContainerRecord): string | undefined =>
  endpoints.find(({ network }) => network === defaultNetwork)?.address;

/** As they stand in /etc/hosts. */
export const linkNames = ({ id, name, request }: ContainerRecord, alias: string): readonly string[] => [
  ...new Set([alias, request.hostname || id.slice(0, 12), name]),
];

/** As Docker's variables are: ports in a row are told as a range too, and what only its image's steps need is left out. */
export const linkEnv = (
  { request }: Pick<ContainerRecord, "request">,
  link: string,
  alias: string,
  address: string,
): readonly string[] => {
  const prefix = alias.toUpperCase().replaceAll("-", "_");
  const ports = openPorts(request).sort(byPriority);
  const [first] = ports;
  const named = (name: string, { port, protocol }: Port, end: string): string[] => [
    `${name}${end}=${protocol}://${address}:${port}`,
    `${name}_ADDR=${address}`,
    `${name}_PORT${end}=${port}`,
    `${name}_PROTO=${protocol}`,
  ];
  const nameOf = ({ port, protocol }: Port): string => `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${first.protocol}://${address}:${first.port}`]),
    ...rangesOf(ports).flatMap(([start, end]) => {
      const name = nameOf(start);
      return [
        ...named(name, start, "_START"),
        `${name}_END=${end.protocol}://${address}:${end.port}`,
        `${name}_PORT_END=${end.port}`,
      ];
    }),
    ...ports.flatMap((port) => named(nameOf(port), port, "")),
    `${prefix}_NAME=${link}`,
    ...request.env
      .filter((entry) => entry.includes("=") && !/^(HOME|PATH)=/.test(entry))
      .map((entry) => `${prefix}_ENV_${entry}`),
  ];
};

interface Port {
  readonly port: number;
  readonly protocol: string;
}

const parseExposed = (text: string): Port => {
  const [port = "", protocol = "tcp"] = text.split("/");
  return { port: Number(port), protocol };
};

const openPorts = ({ network }: CreateRequest): Port[] => {
  const published = network.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`);
  return [...new Set([...network.exposedPorts, ...published])].map(parseExposed);
};

const byPriority = (a: Port, b: Port): number =>
  Number(b.protocol === "tcp") - Number(a.protocol === "tcp") ||
  a.protocol.localeCompare(b.protocol) ||
  a.port - b.port;

/** The first and the last of each row of more than one. */
const rangesOf = (ports: readonly Port[]): readonly (readonly [Port, Port])[] => {
  const rows: (readonly [Port, Port])[] = [];
  for (const port of ports) {
    const [start, end] = rows.at(-1) ?? [port, port];
    const goesOn = end.protocol === port.protocol && end.port + 1 === port.port;
    if (goesOn) rows[rows.length - 1] = [start, port];
    else rows.push([port, port]);
  }
  return rows.filter(([start, end]) => start !== end);
};
