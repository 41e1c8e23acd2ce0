/** The resolvers of the host, as its file names them at this moment. */
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import type { Server } from "./upstream.ts";

const domainPort = 53;

/** The addresses behind `nameserver`, as far as they are some. */
export const parseServers = (text: string): Server[] =>
  [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)]
    .map((match) => match[1]!)
    .filter((address) => isIP(address) !== 0)
    .map((address) => ({ address, port: domainPort }));

/** Follows the file: looked at with every question, which costs less than a file that is watched can miss. */
export class HostServers {
  readonly #path: string;
  #mark: string | undefined;
  #servers: readonly Server[] = [];

  constructor(path = "/etc/resolv.conf") {
    this.#path = path;
  }

  /** The servers, and whether they are others than the last time; the first time they are. */
  look(): { readonly servers: readonly Server[]; readonly isNew: boolean } {
    const mark = this.#markNow();
    if (mark === this.#mark) return { servers: this.#servers, isNew: false };
    const before = this.#mark === undefined ? "never looked" : JSON.stringify(this.#servers);
    this.#mark = mark;
    this.#servers = parseServers(this.#read());
    return { servers: this.#servers, isNew: JSON.stringify(this.#servers) !== before };
  }

  #markNow(): string {
    const status = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    return status === undefined
      ? "none"
      : `${status.dev} ${status.ino} ${status.size} ${status.mtimeNs} ${status.ctimeNs}`;
  }

  #read(): string {
    try {
      return readFileSync(this.#path, "utf8");
    } catch {
      return "";
    }
  }
}
