import { errorsFrom } from "../base/errors.ts";

export const apiErrors = {
  wrongShape: { status: 400, sentence: "invalid request body: {path} must be {wanted}, not {found}" },
  invalidJson: { status: 400, sentence: "invalid JSON: {reason}" },
  // Docker's words (api/server/middleware/version.go).
  clientTooNew: {
    status: 400,
    sentence: "client version {version} is too new. Maximum supported API version is {maximum}",
  },
  clientTooOld: {
    status: 400,
    sentence:
      "client version {version} is too old. Minimum supported API version is {minimum}, please upgrade your client to a newer version",
  },
} as const;

export const apiError = errorsFrom(apiErrors);
