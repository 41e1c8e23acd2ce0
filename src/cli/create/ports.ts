/** `--publish` and `--expose`. */
import type { PortBinding } from "../../api/types.ts";
import { cliError } from "../errors.ts";
import { isAddress } from "../values/addresses.ts";
import { splitPair } from "../values/kinds.ts";
import { quote } from "../values/quote.ts";
import { createError, createErrors } from "./errors.ts";

export interface Publication {
  /** `80/tcp` */
  readonly port: string;
  readonly binding: PortBinding;
}

/** The protocol behind the slash, tcp where none stands there, and the rest. */
const splitProtocol = (text: string): readonly [protocol: string, ports: string] => {
  const [ports = "", protocol = ""] = text.split("/");
  return ports === "" ? ["", ""] : [protocol === "" ? "tcp" : protocol, ports];
};

const parsePort = (text: string): number => {
  if (!/^\d+$/.test(text)) throw cliError("numberSyntax", { reader: "ParseUint", text: quote(text) });
  const port = Number(text);
  if (port > 0xffff) throw cliError("numberRange", { reader: "ParseUint", text: quote(text) });
  return port;
};

const parseRange = (text: string): readonly [first: number, last: number] => {
  const dash = text.indexOf("-");
  const first = parsePort(dash < 0 ? text : text.slice(0, dash));
  const last = dash < 0 ? first : parsePort(text.slice(dash + 1));
  if (last < first) throw createError("portsOrder", { text });
  return [first, last];
};

const rangeOr = <T>(text: string, fail: () => T): readonly [first: number, last: number] | T => {
  try {
    return parseRange(text);
  } catch {
    return fail();
  }
};

/** `target=80,published=8080,protocol=udp`: as services write it. */
const shortForm = (text: string): string => {
  if (!text.includes("=")) return text;
  const fields = new Map([["protocol", "tcp"]]);
  for (const field of text.split(",")) {
    const [key, value] = splitPair(field);
    if (key === "" || value === undefined) throw createError("publishFormat", { text: field });
    fields.set(key, value);
  }
  return `${fields.get("published") ?? ""}:${fields.get("target") ?? ""}/${fields.get("protocol")}`;
};

const parseHost = (text: string): string => {
  const bracketed = text.startsWith("[");
  if (bracketed && !text.endsWith("]")) throw createError("portBracket", { address: text });
  const address = bracketed ? text.slice(1, -1) : text;
  if (address !== "" && !isAddress(address)) throw createError("portAddress", { address });
  return address;
};

/** `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`, with ranges; one publication for each port of the container. */
export const parsePublish = (given: string): Publication[] => {
  const text = shortForm(given);
  const parts = text.split(":");
  const inside = parts.pop()!;
  const host = parts.pop() ?? "";
  const [written, container] = splitProtocol(inside);
  const protocol = written.toLowerCase();
  const HostIp = parseHost(parts.join(":"));
  if (container === "") throw createError("portMissing", { text });
  const fail = (code: "portContainer" | "portHost", range: string) => (): never => {
    throw createError(code, { text: range });
  };
  const [first, last] = rangeOr(container, fail("portContainer", container));
  const [hostFirst, hostLast] = host === "" ? [0, 0] : rangeOr(host, fail("portHost", host));
  if (host !== "" && hostLast - hostFirst !== last - first && last !== first) {
    throw createError("portRanges", { container, host });
  }
  if (!["tcp", "udp", "sctp"].includes(protocol)) throw createError("portProtocol", { protocol });
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const one = first === last && hostFirst !== hostLast ? `${hostFirst}-${hostLast}` : String(hostFirst + index);
    return { port: `${first + index}/${protocol}`, binding: { HostIp, HostPort: host === "" ? "" : one } };
  });
};

/** `80`, `80-90/udp` */
export const parseExpose = (text: string): string[] => {
  if (text.includes(":")) throw createError("exposeFormat", { text });
  const [protocol, ports] = splitProtocol(text);
  const fail = (reason: string, cause?: unknown): never => {
    throw createError("exposeRange", { text, reason }, cause);
  };
  if (ports === "") return fail(createErrors.portsEmpty.sentence);
  try {
    const [first, last] = parseRange(ports);
    return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
  } catch (cause) {
    return fail((cause as Error).message, cause);
  }
};
