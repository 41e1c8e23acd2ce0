import { errorsFrom } from "../../base/errors.ts";

export const cgroupErrors = {
  invalidPath: { status: 400, sentence: "invalid cgroup parent: {path}", hint: "a path such as /my/group" },
  swapWithoutMemory: {
    status: 400,
    sentence: "You should always set the Memory limit when using Memoryswap limit, see usage",
  },
  swapBelowMemory: {
    status: 400,
    sentence: "Minimum memoryswap limit should be larger than memory limit, see usage",
  },
  noFreezer: { status: 500, sentence: "this host has no freezer for control groups", hint: "pier check" },
  notFrozen: { status: 500, sentence: "not all processes stood still within {seconds} seconds" },
  tooManyDeviceRules: {
    status: 400,
    sentence: "too many device rules: the kernel's filter has room for about {limit}",
  },
} as const;

export const cgroupError = errorsFrom(cgroupErrors);
