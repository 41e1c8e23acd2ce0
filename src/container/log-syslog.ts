/** The options of Docker's log driver syslog. Pure. */
import { syslogFormats } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";

export type SyslogAddress =
  /** The host's own, wherever it listens. */
  | { readonly kind: "host" }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "unixgram"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "udp"; readonly host: string; readonly port: number };

const invalid = (problem: string, cause?: unknown) => containerError("invalidLogOption", { problem }, cause);

export const parseSyslogAddress = (text: string): SyslogAddress => {
  if (text === "") return { kind: "host" };
  const kind = /^(tcp\+tls|tcp|udp|unixgram|unix):\/\//.exec(text)?.[1];
  if (kind === undefined) throw invalid(`syslog-address should be in form proto://address, got ${text}`);
  if (kind === "tcp+tls") throw containerError("notSupported", { what: "syslog over TLS" });
  const rest = text.slice(kind.length + 3);
  if (kind === "unix" || kind === "unixgram") {
    // What a socket's address has room for (man 7 unix).
    if (!rest.startsWith("/") || Buffer.byteLength(rest) > 107) throw invalid(`invalid path of a socket: ${rest}`);
    return { kind, path: rest };
  }
  const match = /^(?:\[([^\]]+)\]|([^:/[\]]+))(?::(\d{1,5}))?$/.exec(rest);
  const port = Number(match?.[3] ?? 514);
  if (match === null || port < 1 || port > 65_535) throw invalid(`invalid syslog-address: ${text}`);
  return { kind: kind === "tcp" ? "tcp" : "udp", host: match[1] ?? match[2]!, port };
};

/** In the order of their numbers, up to ftp; those of the host's own begin at 16. */
const facilities = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp".split(" ");
const usualFacility = 3;

export const parseSyslogFacility = (text: string): number => {
  if (text === "") return usualFacility;
  const local = /^local([0-7])$/.exec(text)?.[1];
  const number = /^\d{1,2}$/.test(text)
    ? Number(text)
    : local === undefined
      ? facilities.indexOf(text)
      : 16 + Number(local);
  if (number < 0 || number > 23) throw invalid("invalid syslog facility");
  return number;
};

export const parseSyslogFormat = (text: string): number => {
  if (text === "") return syslogFormats.unix;
  const found = Object.entries(syslogFormats).find(([name]) => name === text && name !== "unix");
  if (found === undefined) throw invalid("Invalid syslog format");
  return found[1];
};
