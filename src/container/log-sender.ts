/** Where a container's lines go besides its file: the steps by which its keeper sends them to syslog or to the journal. */
import { lookup } from "node:dns/promises";
import { existsSync } from "node:fs";
import { errnoMessage } from "../kernel/numbers/errno.ts";
import type { Step } from "../kernel/steps.ts";
import { addressBytes, formatAddress } from "../network/addresses.ts";
import { containerError } from "./errors.ts";
import { attributePairs, logTag } from "./log-attributes.ts";
import { parseSyslogAddress, parseSyslogFacility, parseSyslogFormat, type SyslogAddress } from "./log-syslog.ts";
import type { ContainerRecord } from "./record.ts";

type Options = Readonly<Record<string, string>>;

/** As the kernel has them on every machine that we run on. */
const socketTypes = { stream: 1, datagram: 2 } as const;

const journalSocket = "/run/systemd/journal/socket";

/** Where hosts listen, the usual one first. */
const hostSockets = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/** Resolves to nothing for a log that is a file alone; throws when it cannot be known where to send the lines. */
export const planLogSender = async (record: ContainerRecord, hostname: string): Promise<readonly Step[]> => {
  const { driver, options } = record.request.log;
  if (driver === "journald") {
    return [
      { step: "sendLog", type: socketTypes.datagram, ...unixPlace(journalSocket) },
      { step: "asJournal", fields: journalFields(record, options) },
    ];
  }
  if (driver !== "syslog") return [];
  const facility = parseSyslogFacility(options["syslog-facility"] ?? "");
  const format = parseSyslogFormat(options["syslog-format"] ?? "");
  return [
    await planTarget(parseSyslogAddress(options["syslog-address"] ?? "")),
    { step: "asSyslog", format, facility, host: hostname, tag: logTag(record, options) },
  ];
};

const unixPlace = (path: string) => ({ path, address: new Uint8Array(), port: 0 });

const planTarget = async (target: SyslogAddress): Promise<Step> => {
  if (target.kind === "tcp" || target.kind === "udp") {
    const type = target.kind === "tcp" ? socketTypes.stream : socketTypes.datagram;
    return { step: "sendLog", type, path: "", address: await addressOf(target.host), port: target.port };
  }
  const path = target.kind === "host" ? hostSockets.find((name) => existsSync(name)) : target.path;
  if (path === undefined) throw containerError("logNotSent", { reason: "Unix syslog delivery error" });
  const type = target.kind === "unix" ? socketTypes.stream : socketTypes.datagram;
  return { step: "sendLog", type, ...unixPlace(path) };
};

const addressOf = async (host: string): Promise<Uint8Array> => {
  try {
    return addressBytes((await lookup(host)).address);
  } catch (cause) {
    throw containerError("logNotSent", { reason: `lookup ${host}: no such host` }, cause);
  }
};

/** Why the lines cannot be sent there, as Go says it, which is what people search for. */
export const explainTarget = (step: Extract<Step, { readonly step: "sendLog" }>, errno: number): string => {
  if (step.path === journalSocket) return "journald is not enabled on this host";
  const isStream = step.type === socketTypes.stream;
  const [network, target] =
    step.path === ""
      ? [isStream ? "tcp" : "udp", `${addressText(step.address)}:${step.port}`]
      : [isStream ? "unix" : "unixgram", step.path];
  return `dial ${network} ${target}: connect: ${errnoMessage(errno)}`;
};

const addressText = (bytes: Uint8Array): string => {
  const value = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  return bytes.length === 4 ? formatAddress({ family: 4, value }) : `[${formatAddress({ family: 6, value })}]`;
};

/** As Docker names them; what labels and variables are called becomes what the journal takes for a name. */
const journalFields = (record: ContainerRecord, options: Options): Uint8Array => {
  const tag = logTag(record, options);
  const fields: readonly (readonly [string, string])[] = [
    ["CONTAINER_ID", record.id.slice(0, 12)],
    ["CONTAINER_ID_FULL", record.id],
    ["CONTAINER_NAME", record.name],
    ["CONTAINER_TAG", tag],
    ["IMAGE_NAME", record.image.reference],
    ["SYSLOG_IDENTIFIER", tag],
    ...attributePairs(record, options).map(([name, value]) => [journalName(name), value] as const),
  ];
  return Buffer.concat(fields.filter(([name]) => name !== "").map(([name, value]) => journalField(name, value)));
};

/** Capital letters, digits and underscores, of which none is the first. */
const journalName = (name: string): string =>
  name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, "_")
    .replace(/^_+/, "");

/** A value with a newline has its length before it. */
const journalField = (name: string, value: string): Buffer => {
  if (!value.includes("\n")) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from("\n")]);
};
