/** A daemon's host, in docker's words for it. Pure, and loaded by every command. */
import { cliError } from "./errors.ts";

/** A port that somebody named, maybe of another machine. */
export interface PortHost {
  readonly kind: "port";
  readonly host: string;
  /** Undefined: the usual one. */
  readonly port: number | undefined;
}

export type Host = { readonly kind: "socket"; readonly path: string } | PortHost;

/** Throws for what we cannot connect to. */
export const parseHost = (text: string): Host => {
  const path = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: "socket", path };
  if (text.startsWith("ssh://")) throw cliError("hostBySsh", { host: text, target: text.slice("ssh://".length) });
  const [, name, port] = /^tcp:\/\/(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?\/?$/i.exec(text) ?? [];
  if (name === undefined || Number(port ?? 1) > 65_535) throw cliError("hostInvalid", { host: text });
  return {
    kind: "port",
    host: name.replace(/^\[|\]$/g, ""),
    port: port === undefined ? undefined : Number(port),
  };
};
