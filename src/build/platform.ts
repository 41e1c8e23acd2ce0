/** What a build knows of platforms: the variables that Dockerfiles may ask for. */
import { parsePlatform } from "../api/platforms.ts";
import { machineArchitecture } from "../image/manifest.ts";
import { buildError } from "./errors.ts";
import type { PlannedStage } from "./graph.ts";

export interface BuildPlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export const hostPlatform: BuildPlatform = { os: "linux", architecture: machineArchitecture };

/** `linux/arm/v7` */
export const platformText = ({ os, architecture, variant }: BuildPlatform): string =>
  [os, architecture, variant ?? ""].filter((part) => part !== "").join("/");

interface PlatformOfStage {
  readonly planned: PlannedStage;
  /** What is built for. */
  readonly platform: BuildPlatform;
}

/** What a stage runs on: what it is built for, unless it says otherwise. */
export const platformOf = ({ planned: { platform: asked, base }, platform }: PlatformOfStage): BuildPlatform =>
  asked === "" || base.kind === "scratch"
    ? platform
    : parsePlatform(asked, (reason) => buildError("stagePlatform", { reason }));

/** Of a stage's steps: `linux/arm64`, or `linux/amd64->arm64` where one is used to make the other. */
export const toldPlatform = (target: BuildPlatform, own: BuildPlatform): string =>
  platformText(own) === platformText(target)
    ? platformText(own)
    : `${platformText(own)}->${platformText(target).slice(target.os.length + 1)}`;

/** Each once, this machine's first: a name that several are pulled under stands for that of this machine. */
export const orderPlatforms = (asked: readonly BuildPlatform[]): readonly BuildPlatform[] => {
  const unique = [...new Map(asked.map((platform) => [platformText(platform), platform])).values()];
  return unique.sort(
    (a, b) =>
      Number(platformText(b) === platformText(hostPlatform)) - Number(platformText(a) === platformText(hostPlatform)),
  );
};

/** Known before the first stage without being declared; a stage that wants one declares it. */
export const platformVariables = (target: BuildPlatform, targetStage: string): ReadonlyMap<string, string> =>
  new Map([
    ["BUILDPLATFORM", platformText(hostPlatform)],
    ["BUILDOS", hostPlatform.os],
    ["BUILDARCH", hostPlatform.architecture],
    ["BUILDVARIANT", hostPlatform.variant ?? ""],
    ["TARGETPLATFORM", platformText(target)],
    ["TARGETOS", target.os],
    ["TARGETARCH", target.architecture],
    ["TARGETVARIANT", target.variant ?? ""],
    ["TARGETSTAGE", targetStage],
  ]);

const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];
/** Programs see them without their being declared; they are in no image, no history and no cache key. */
export const undeclared: ReadonlySet<string> = new Set(proxies.flatMap((name) => [name, name.toLowerCase()]));
