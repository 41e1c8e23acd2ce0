import { errorsFrom } from "../../base/errors.ts";

/** Docker's wording: clients show it and tests compare with it. */
export const numbersErrors = {
  unknownCapability: { status: 400, sentence: 'unknown capability: "{name}"' },
  unavailableCapability: {
    status: 400,
    sentence: 'capability not supported by your kernel or not available in the current environment: "{name}"',
  },
  invalidSignal: { status: 400, sentence: "invalid signal: {signal}" },
  unsupportedSignal: { status: 400, sentence: "the linux daemon does not support signal {signal}" },
  unknownRlimit: { status: 400, sentence: "invalid ulimit type: {name}" },
} as const;

export const numbersError = errorsFrom(numbersErrors);
