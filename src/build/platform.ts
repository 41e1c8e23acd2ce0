/** What a build knows of platforms: the variables that Dockerfiles may ask for. */
import { machineArchitecture } from "../image/manifest.ts";

export interface BuildPlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export const hostPlatform: BuildPlatform = { os: "linux", architecture: machineArchitecture };

const textOf = ({ os, architecture, variant }: BuildPlatform): string =>
  [os, architecture, variant ?? ""].filter((part) => part !== "").join("/");

/** Known before the first stage without being declared; a stage that wants one declares it. */
export const platformVariables = (target: BuildPlatform, targetStage: string): ReadonlyMap<string, string> =>
  new Map([
    ["BUILDPLATFORM", textOf(hostPlatform)],
    ["BUILDOS", hostPlatform.os],
    ["BUILDARCH", hostPlatform.architecture],
    ["BUILDVARIANT", hostPlatform.variant ?? ""],
    ["TARGETPLATFORM", textOf(target)],
    ["TARGETOS", target.os],
    ["TARGETARCH", target.architecture],
    ["TARGETVARIANT", target.variant ?? ""],
    ["TARGETSTAGE", targetStage],
  ]);

const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];
/** Programs see them without their being declared; they are in no image, no history and no cache key. */
export const undeclared: ReadonlySet<string> = new Set(proxies.flatMap((name) => [name, name.toLowerCase()]));
