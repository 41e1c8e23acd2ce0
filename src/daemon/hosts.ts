/** Where clients may connect, as the words of `pier daemon` have it. Whoever reaches the daemon is root. Pure. */
import { isIP } from "node:net";
import { isLoopback } from "../registry/addresses.ts";
import { daemonError } from "./errors.ts";

export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: TlsFiles | undefined }
  /** The sockets that systemd has opened for us. */
  | { readonly kind: "systemd" };

/** Paths. */
export interface TlsFiles {
  /** Who signs the certificates of clients; undefined: they need none. */
  readonly clients: string | undefined;
  readonly certificate: string;
  readonly key: string;
}

/** `--tls…`, as it was given. */
export type TlsWords = Readonly<Partial<Record<"tls" | "tlsverify" | "tlscacert" | "tlscert" | "tlskey", string>>>;

/** As dockerd: without and with encryption. */
const ports = { plain: 2375, tls: 2376 } as const;
const directory = "/etc/pier";

const isSaid = (text: string | undefined): boolean => text === "true" || text === "1";

const tlsOf = (words: TlsWords): TlsFiles | undefined => {
  const verify = isSaid(words.tlsverify);
  if (!verify && !isSaid(words.tls)) return undefined;
  return {
    clients: verify ? (words.tlscacert ?? `${directory}/ca.pem`) : undefined,
    certificate: words.tlscert ?? `${directory}/cert.pem`,
    key: words.tlskey ?? `${directory}/key.pem`,
  };
};

export const parseListenAddress = (text: string, words: TlsWords): ListenAddress => {
  if (text.startsWith("unix:///")) return { kind: "unix", path: text.slice("unix://".length) };
  if (text === "fd://" || text === "fd://*") return { kind: "systemd" };
  const [, name = "", port = ""] = /^tcp:\/\/(\[[0-9a-f:.]+\]|[\w.-]*)(?::(\d{1,5}))?\/?$/i.exec(text) ?? [];
  if (!text.startsWith("tcp://") || (name === "" && port === "") || Number(port) > 65_535) {
    throw daemonError("badHost", { host: text });
  }
  const tls = tlsOf(words);
  // As in Docker, who names no address means this machine.
  const host = name === "" || name === "localhost" ? "127.0.0.1" : name.replace(/^\[|\]$/g, "");
  // Users of this machine reach its loopback address too: who names it has decided to let them.
  if (tls?.clients === undefined && !(isIP(host) > 0 && isLoopback(host)))
    throw daemonError("hostUnprotected", { host: text });
  return { kind: "tcp", host, port: port === "" ? ports[tls === undefined ? "plain" : "tls"] : Number(port), tls };
};
