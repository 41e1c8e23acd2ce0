/** `pier ports`: every published port of this host, and who can reach it. */
import type { PortSummary } from "../../api/answers/containers.ts";
import { command } from "../command.ts";
import { joinAddress } from "../output/ports.ts";
import { formatTable } from "../output/table.ts";
import { print } from "../streams/output.ts";

/** Whoever reaches the address reaches the port: a firewall of the host has its own say. */
export const reachOf = (address: string): string => {
  if (address === "0.0.0.0" || address === "::") return "whoever reaches this host";
  if (address.startsWith("127.") || address === "::1") return "this host only";
  return `whoever reaches ${address}`;
};

const isSix = ({ IP = "" }: PortSummary): number => (IP.includes(":") ? 1 : 0);

const order = (a: PortSummary, b: PortSummary): number =>
  (a.PublicPort ?? 0) - (b.PublicPort ?? 0) || a.Type.localeCompare(b.Type) || isSix(a) - isSix(b);

export const ports = command({
  usage: "",
  flags: {},
  least: 0,
  most: 0,
  run: async ({ client }) => {
    const containers = await client.get("containerList", {});
    const published = containers
      .flatMap(({ Names, Ports }) => Ports.map((port) => ({ port, name: (Names[0] ?? "").slice(1) })))
      .filter(({ port }) => port.PublicPort !== undefined)
      .sort((a, b) => order(a.port, b.port));
    const rows = published.map(({ port, name }) => [
      `${joinAddress(port.IP ?? "", port.PublicPort ?? 0)}/${port.Type}`,
      name,
      `${port.PrivatePort}/${port.Type}`,
      reachOf(port.IP ?? ""),
    ]);
    print(formatTable([["PORT", "CONTAINER", "LEADS TO", "REACHED BY"], ...rows]));
  },
});
