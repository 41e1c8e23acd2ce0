/** The versions of the API that pier speaks, and how a request names one. */
import type { ImageInspect, ImageSummary } from "./answers.ts";
import { apiError } from "./errors.ts";
import type { HostConfig } from "./types.ts";

/** pier's own version, as in package.json. */
export const pierVersion = "0.1.0";

export const maxVersion = "1.51";
export const minVersion = "1.24";

/** A version as a number that compares (1.9 is older than 1.24); NaN for what is no version. */
const rank = (version: string): number => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1000 + minor;
};

export interface VersionedPath {
  /** What the client speaks: the newest when it names none. */
  readonly version: string;
  readonly path: string;
}

/** Takes `/v1.43` off a path; throws Docker's 400 for a version outside the range. */
export const parseVersion = (path: string): VersionedPath => {
  const match = /^\/v([0-9.]+)(\/.*)$/.exec(path);
  if (match === null) return { version: maxVersion, path };
  const [, version = "", rest = "/"] = match;
  if (rank(version) > rank(maxVersion)) throw apiError("clientTooNew", { version, maximum: maxVersion });
  // NaN (`/v1..2`) is neither: it is not at least the minimum.
  if (!(rank(version) >= rank(minVersion))) throw apiError("clientTooOld", { version, minimum: minVersion });
  return { version, path: rest };
};

/** Whether a client of `version` knows what came with `since`. */
export const isAtLeast = (version: string, since: string): boolean => rank(version) >= rank(since);

/** A summary as a client of `version` reads it: before 1.44 there was a VirtualSize, before 1.43 a name for what has none. */
export const imageSummaryFor = (version: string, summary: ImageSummary): ImageSummary => ({
  ...summary,
  ...(isAtLeast(version, "1.44") ? {} : { VirtualSize: summary.Size }),
  ...(isAtLeast(version, "1.43") || summary.RepoTags.length > 0
    ? {}
    : { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] }),
});

/** What is the same in every image, and was once answered with each. */
const constantConfig = {
  Hostname: "",
  Domainname: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: "",
} as const;

/** An image as a client of `version` reads it: before 1.50 its configuration was that of a container. */
export const imageInspectFor = (version: string, answer: ImageInspect): ImageInspect => ({
  ...answer,
  ...(isAtLeast(version, "1.50") ? {} : { Config: { ...constantConfig, ...answer.Config } }),
  ...(isAtLeast(version, "1.44") ? {} : { VirtualSize: answer.Size }),
});

/** What a client of `version` means by what it leaves out: before 1.40 others could always share the IPC namespace. */
export const upgradeHostConfig = (version: string, host: HostConfig): HostConfig =>
  isAtLeast(version, "1.40") || host.IpcMode ? host : { ...host, IpcMode: "shareable" };
