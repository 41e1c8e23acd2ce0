/**
 * Device rules. Version 1 of control groups defined what a sequence of them means; version 2 leaves it to a program of
 * ours. Both get the same: the rules are folded into a short list first, by version 1's rules
 * (security/device_cgroup.c).
 */

export interface DeviceRule {
  readonly allow: boolean;
  /** "a": every device, whatever the numbers. */
  readonly type: "a" | "b" | "c";
  /** Absent or below zero: any. */
  readonly major?: number;
  readonly minor?: number;
  /** Of `r`ead, `w`rite and `m`knod. */
  readonly access: string;
}

export interface DeviceException {
  readonly type: "b" | "c";
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly access: string;
}

/** What holds for all devices, and the exceptions from it. */
export interface DeviceList {
  readonly otherwise: "allow" | "deny";
  readonly exceptions: readonly DeviceException[];
}

/** What a sequence of rules means, beginning with "all are allowed" as in a new group. */
export const foldDeviceRules = (rules: readonly DeviceRule[]): DeviceList => {
  let otherwise: DeviceList["otherwise"] = "allow";
  const exceptions = new Map<string, DeviceException>();
  for (const rule of rules) {
    if (rule.type === "a") {
      otherwise = rule.allow ? "allow" : "deny";
      exceptions.clear();
      continue;
    }
    const { type, major, minor } = numbersOf(rule.type, rule);
    const key = `${type} ${major}:${minor}`;
    const before = exceptions.get(key)?.access ?? "";
    // What agrees with the rest takes an exception back, but only one with these very numbers: a wildcard is not split.
    const agrees = rule.allow === (otherwise === "allow");
    const access = [..."rwm"].filter((kind) =>
      agrees ? before.includes(kind) && !rule.access.includes(kind) : `${before}${rule.access}`.includes(kind),
    );
    if (access.length === 0) exceptions.delete(key);
    else exceptions.set(key, { type, major, minor, access: access.join("") });
  }
  return { otherwise, exceptions: [...exceptions.values()] };
};

const numbersOf = (type: "b" | "c", { major, minor }: DeviceRule): Omit<DeviceException, "access"> => ({
  type,
  major: major === undefined || major < 0 ? undefined : major,
  minor: minor === undefined || minor < 0 ? undefined : minor,
});

/** The line of version 1's devices.allow and devices.deny. */
export const deviceLine = ({ type, major, minor, access }: DeviceException): string =>
  `${type} ${major ?? "*"}:${minor ?? "*"} ${access}`;
