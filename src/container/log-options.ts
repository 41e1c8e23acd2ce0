/** Which options each of Docker's log drivers has, and which of their values it takes. Pure. */
import { containerError } from "./errors.ts";
import { checkTag, parseLogPattern } from "./log-attributes.ts";
import { parseSyslogAddress, parseSyslogFacility, parseSyslogFormat } from "./log-syslog.ts";
import type { LogRequest } from "./request.ts";

type Check = (value: string) => unknown;
type Checks = Readonly<Record<string, Check>>;
type Driver = Exclude<LogRequest["driver"], "none">;

const anything: Check = () => {};

const attributes: Checks = {
  labels: anything,
  "labels-regex": (value) => parseLogPattern("labels-regex", value),
  env: anything,
  "env-regex": (value) => parseLogPattern("env-regex", value),
  tag: checkTag,
};

const files: Checks = { "max-size": anything, "max-file": anything, compress: anything };

/** Docker's names for the options of the file that is kept beside what is sent away. */
const cache: Checks = {
  "cache-disabled": anything,
  "cache-max-size": anything,
  "cache-max-file": anything,
  "cache-compress": anything,
};

const unencrypted: Check = () => {
  throw containerError("notSupported", { what: "syslog over TLS" });
};

const syslog: Checks = {
  "syslog-address": parseSyslogAddress,
  "syslog-facility": parseSyslogFacility,
  "syslog-format": parseSyslogFormat,
  "syslog-tls-ca-cert": unencrypted,
  "syslog-tls-cert": unencrypted,
  "syslog-tls-key": unencrypted,
  "syslog-tls-skip-verify": unencrypted,
};

/** Of all drivers. A container waits for none of ours, so that both modes are the same. */
const delivery: Checks = {
  mode: (value) => {
    if (!["", "blocking", "non-blocking"].includes(value))
      throw containerError("invalidLogOption", { problem: `logger: logging mode not supported: ${value}` });
  },
  "max-buffer-size": anything,
};

const drivers: Readonly<Record<Driver, Checks>> = {
  "json-file": { ...delivery, ...attributes, ...files },
  local: { ...delivery, ...attributes, ...files },
  syslog: { ...delivery, ...attributes, ...cache, ...syslog },
  journald: { ...delivery, ...attributes, ...cache },
};

export const isLogDriver = (name: string): name is Driver => Object.hasOwn(drivers, name);

/** Throws for an option that the driver does not have, or a value that it does not take. */
export const checkLogOptions = (driver: Driver, options: Readonly<Record<string, string>>): void => {
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(drivers[driver], name) ? drivers[driver][name] : undefined;
    if (check === undefined)
      throw containerError("invalidLogOption", { problem: `unknown log opt '${name}' for ${driver} log driver` });
    check(value);
  }
  if (options["max-buffer-size"] !== undefined && options.mode !== "non-blocking") {
    const problem = "logger: max-buffer-size option is only supported with 'mode=non-blocking'";
    throw containerError("invalidLogOption", { problem });
  }
};
