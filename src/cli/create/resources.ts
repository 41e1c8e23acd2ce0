/** Limits as flags give them: processors, ulimits, devices and their rates. */
import type { DeviceMapping, DeviceRequest, ThrottleDevice, Ulimit, WeightDevice } from "../../api/types.ts";
import type { Kind } from "../flags.ts";
import { parseBytes } from "../values/bytes.ts";
import { parseCsv } from "../values/csv.ts";
import { splitPair, withPair } from "../values/kinds.ts";
import { decimal, parseInteger, parseUnsigned } from "../values/numbers.ts";
import { createError } from "./errors.ts";

/** Billionths of a processor of `1.5`, `.5`, `1e-1` or `1/2`, exactly. */
export const parseCpus = (text: string): number => {
  const fraction = /^([+-]?\d+)\/(\d+)$/.exec(text);
  const point = /^([+-]?)(\d[\d_]*)?(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
  let top: bigint;
  let bottom: bigint;
  if (fraction !== null && BigInt(fraction[2]!) !== 0n) {
    [top, bottom] = [BigInt(fraction[1]!), BigInt(fraction[2]!)];
  } else if (point !== null && `${point[2] ?? ""}${point[3] ?? ""}` !== "") {
    const [, sign = "", whole = "", digits = "", exponent = "0"] = point;
    const shift = Number(exponent) - digits.length;
    top = BigInt((sign === "-" ? "-" : "") + whole.replaceAll("_", "") + digits) * 10n ** BigInt(Math.max(shift, 0));
    bottom = 10n ** BigInt(Math.max(-shift, 0));
  } else if (/^0[xX][0-9a-fA-F]+$/.test(text)) {
    [top, bottom] = [BigInt(text), 1n];
  } else {
    throw createError("cpusSyntax", { text });
  }
  const nano = top * 1_000_000_000n;
  if (nano % bottom !== 0n) throw createError("cpusPrecision", {});
  const value = Number(nano / bottom);
  if (!Number.isSafeInteger(value)) throw createError("cpusRange", {});
  return value;
};

export const cpus: Kind<number> = { placeholder: "decimal", initial: 0, read: parseCpus };

/** Swap may be without limit. */
export const swapBytes: Kind<number> = {
  placeholder: "bytes",
  initial: 0,
  read: (text) => (text === "-1" ? -1 : parseBytes(text)),
};

const limitNames = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

/** `nofile=1024:2048`; -1 is no limit, and one number stands for both. */
const parseUlimit = (text: string): Ulimit => {
  const [name, limits] = splitPair(text);
  if (limits === undefined) throw createError("ulimitArgument", { text });
  if (!limitNames.has(name)) throw createError("ulimitType", { name });
  const parts = limits.split(":");
  if (parts.length > 2) throw createError("ulimitCount", { limits });
  const soft = parseInteger(parts[0]!);
  const hard = parts[1] === undefined ? soft : parseInteger(parts[1]);
  if (hard !== -1 && soft === -1) throw createError("ulimitUnlimited", { hard });
  if (hard !== -1 && soft > hard) throw createError("ulimitOrder", { soft, hard });
  return { Name: name, Hard: hard, Soft: soft };
};

/** The last of each name holds. */
export const ulimits: Kind<readonly Ulimit[]> = {
  placeholder: "ulimit",
  initial: [],
  shown: "[]",
  read: (text, before) => {
    const limit = parseUlimit(text);
    return [...before.filter(({ Name }) => Name !== limit.Name), limit];
  },
};

const splitDevice = (text: string): readonly [path: string, value: string] => {
  const colon = text.indexOf(":");
  if (colon < 0) throw createError("deviceFormat", { text });
  if (!text.startsWith("/dev/")) throw createError("devicePath", { text });
  return [text.slice(0, colon), text.slice(colon + 1)];
};

export const parseWeightDevice = (text: string): WeightDevice => {
  const [Path, value] = splitDevice(text);
  const Weight = decimal(value);
  if (Weight === undefined || Weight > 1000 || (Weight > 0 && Weight < 10)) throw createError("deviceWeight", { text });
  return { Path, Weight };
};

export const parseByteRate = (text: string): ThrottleDevice => {
  const [Path, value] = splitDevice(text);
  try {
    return { Path, Rate: parseBytes(value) };
  } catch (cause) {
    throw createError("deviceRate", { text }, cause);
  }
};

export const parseOperationRate = (text: string): ThrottleDevice => {
  const [Path, value] = splitDevice(text);
  const Rate = decimal(value);
  if (Rate === undefined) throw createError("deviceOperations", { text });
  return { Path, Rate };
};

export const checkDeviceRule = (text: string): string => {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text)) throw createError("deviceRule", { text });
  return text;
};

const isMode = (text: string): boolean => /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;

/** `/dev/fuse`, `/dev/fuse:rw`, `/dev/fuse:/dev/f`, `/dev/fuse:/dev/f:r` */
export const parseDevice = (text: string): DeviceMapping => {
  const [host = "", second, third, ...more] = text.split(":");
  if (more.length > 0 || host === "") throw createError("deviceSpec", { text });
  const modeSecond = third === undefined && second !== undefined && isMode(second);
  const inside = modeSecond || second === undefined ? host : second;
  const mode = modeSecond ? second : (third ?? "rwm");
  if (!isMode(mode)) throw createError("deviceMode", { mode });
  if (!inside.startsWith("/")) throw createError("pathNotAbsolute", { path: inside });
  return { PathOnHost: host, PathInContainer: inside, CgroupPermissions: mode };
};

/** A device of the Container Device Interface: `vendor.com/class=name`. */
export const isInterfaceDevice = (text: string): boolean =>
  /^[A-Za-z]([\w.-]*[A-Za-z0-9])?\/[A-Za-z]([\w-]*[A-Za-z0-9])?=[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/.test(text);

const parseCount = (text: string): number => {
  if (text === "all") return -1;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw createError("gpuCount", { text });
  return Number(text);
};

/** `all`, `2`, `"device=0,1",capabilities=utility` */
export const parseGpus = (text: string): DeviceRequest => {
  const seen = new Map<string, string>();
  for (const field of parseCsv(text)) {
    const [key, value] = splitPair(field);
    const name = value === undefined ? "count" : key;
    if (seen.has(key)) throw createError("gpuOnce", { key });
    if (!["driver", "count", "device", "capabilities", "options"].includes(name)) {
      throw createError("unexpectedKey", { key, field });
    }
    seen.set(name, value ?? key);
    if (name === "count") parseCount(value ?? key);
  }
  const count = seen.get("count");
  const devices = seen.get("device")?.split(",");
  const capabilities = seen.get("capabilities")?.split(",") ?? [];
  const options = seen.get("options");
  return {
    Driver: seen.get("driver") ?? "",
    Count: count !== undefined ? parseCount(count) : devices === undefined ? 1 : 0,
    DeviceIDs: devices ?? null,
    Capabilities: [[...capabilities, "gpu"]],
    Options: options === undefined ? {} : parseCsv(options).reduce(withPair, {}),
  };
};

export const weight: Kind<number> = {
  placeholder: "uint16",
  initial: 0,
  shown: "0",
  read: (text) => parseUnsigned(text, 16),
};
