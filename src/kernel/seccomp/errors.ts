import { errorsFrom } from "../../base/errors.ts";

export const seccompErrors = {
  /** Docker's wording. */
  invalidProfile: { status: 400, sentence: "Decoding seccomp profile failed: {reason}" },
  filterTooLong: {
    status: 400,
    sentence: "the seccomp profile needs at least {length} instructions, the kernel takes {limit}",
    hint: "allow or forbid whole system calls instead of single arguments",
  },
  unsupportedArchitecture: { status: 500, sentence: "there are no seccomp filters for {architecture} yet" },
} as const;

export const seccompError = errorsFrom(seccompErrors);
