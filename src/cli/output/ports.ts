/** Ports of containers as `ps` shows them. */
import type { PortSummary } from "../../api/answers/containers.ts";

/** Address and port, an IPv6 address in brackets. */
export const joinAddress = (address: string, port: string | number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

const order = (a: PortSummary, b: PortSummary): number =>
  a.PrivatePort - b.PrivatePort ||
  text(a.IP).localeCompare(text(b.IP)) ||
  (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
  a.Type.localeCompare(b.Type);
const text = (value: string | undefined): string => value ?? "";

interface Range {
  readonly address: string;
  readonly type: string;
  readonly first: number;
  last: number;
}

const formatRange = ({ address, type, first, last }: Range): string => {
  const ports = first === last ? `${first}` : `${first}-${last}`;
  return `${address === "" ? "" : `${joinAddress(address, ports)}->`}${ports}/${type}`;
};

/** `0.0.0.0:8080->80/tcp, 90-92/udp`: neighbours that are published as themselves make a range. */
export const formatPorts = (ports: readonly PortSummary[]): string => {
  const open = new Map<string, Range>();
  const shown: string[] = [];
  const moved: string[] = [];
  for (const { IP = "", PrivatePort, PublicPort = 0, Type } of [...ports].sort(order)) {
    if (IP !== "" && PublicPort !== PrivatePort) {
      moved.push(`${joinAddress(IP, PublicPort)}->${PrivatePort}/${Type}`);
      continue;
    }
    const key = `${IP}/${Type}`;
    const range = open.get(key);
    if (range !== undefined && PrivatePort === range.last + 1) {
      range.last = PrivatePort;
      continue;
    }
    if (range !== undefined) shown.push(formatRange(range));
    open.set(key, { address: IP, type: Type, first: PrivatePort, last: PrivatePort });
  }
  return [...shown, ...[...open.values()].map(formatRange), ...moved].join(", ");
};
