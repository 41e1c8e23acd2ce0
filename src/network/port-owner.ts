/** Who holds a port of the host that could not be bound. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { PublishedPort } from "./endpoint.ts";

export interface PortOwner {
  readonly pid: number;
  readonly name: string;
}

const listening = "0A";

/** The inodes of the sockets that stand in the way, of a table such as `/proc/net/tcp`. */
export const parseSockets = (table: string, port: number, isStream: boolean): string[] =>
  table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => {
      const bound = Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16);
      return bound === port && (!isStream || state === listening);
    })
    .map((fields) => fields[9] ?? "");

/** The same of `/proc/net/sctp/eps`, where ports are decimal, and whoever is there listens (net/sctp/proc.c). */
export const parseSctpSockets = (table: string, port: number): string[] =>
  table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => Number(fields[5]) === port)
    .map((fields) => fields[7] ?? "");

const readOrNothing = <T>(read: () => T, nothing: T): T => {
  try {
    return read();
  } catch {
    // Processes come and go, and some are not ours to look at.
    return nothing;
  }
};

const namesIn = (directory: string): string[] => readOrNothing(() => readdirSync(directory), []);
const textOf = (path: string): string => readOrNothing(() => readFileSync(path, "utf8"), "");

const findSockets = ({ protocol, hostPort }: PublishedPort): string[] =>
  protocol === "sctp"
    ? parseSctpSockets(textOf("/proc/net/sctp/eps"), hostPort)
    : [`/proc/net/${protocol}`, `/proc/net/${protocol}6`].flatMap((path) =>
        parseSockets(textOf(path), hostPort, protocol === "tcp"),
      );

/** The first process that has such a socket open. Reads every process's descriptors: for an error's words. */
export const findPortOwner = (port: PublishedPort): PortOwner | undefined => {
  const sockets = new Set(findSockets(port).map((inode) => `socket:[${inode}]`));
  if (sockets.size === 0) return undefined;
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name))) {
    const directory = `/proc/${pid}/fd`;
    const isOwner = namesIn(directory).some((fd) =>
      sockets.has(readOrNothing(() => readlinkSync(`${directory}/${fd}`), "")),
    );
    if (isOwner) return { pid: Number(pid), name: textOf(`/proc/${pid}/comm`).trim() };
  }
  return undefined;
};
