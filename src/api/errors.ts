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
  // Docker's words (api/server/router/container/container_routes.go).
  severalNetworks: {
    status: 400,
    sentence: "Container cannot be created with multiple network endpoints: {networks}",
    hint: "DOCKER_API_VERSION=1.44, or none",
  },
  needsVersion: { status: 400, sentence: "{what} needs API v{since} or newer" },

  // What the client meets.
  unreachable: {
    status: 503,
    sentence: "Cannot connect to the pier daemon at {address}. Is the pier daemon running?",
    hint: "pier daemon",
  },
  notConnected: { status: 503, sentence: "error during connect: {address}: {reason}" },
  connectionLost: { status: 502, sentence: "the daemon closed the connection before it had answered" },
  answerMalformed: { status: 502, sentence: "what answers is no daemon: {what} cannot be read" },
  notHijacked: { status: 502, sentence: "the daemon answered {status} instead of opening a stream" },
} as const;

export const apiError = errorsFrom(apiErrors);
