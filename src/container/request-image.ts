/** What an image contributes to a container that is made from it. */
import { posix } from "node:path";
import { mergeImageEnv } from "./environment.ts";
import type { CreateRequest, HealthcheckRequest } from "./request.ts";
import { plainVolume } from "./request-mounts.ts";

type Named = Readonly<Record<string, unknown>>;

/** The configuration of an image, as its room has it. Hostile: it names paths, users and variables as it likes. */
export interface ImageDefaults {
  readonly Env?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | undefined;
  readonly User?: string | undefined;
  readonly ExposedPorts?: Named | null | undefined;
  readonly Volumes?: Named | null | undefined;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
  readonly StopSignal?: string | undefined;
  readonly Shell?: readonly string[] | null | undefined;
  readonly Healthcheck?: ImageHealthcheck | undefined;
}

export interface ImageHealthcheck {
  readonly Test?: readonly string[] | null | undefined;
  readonly Interval?: number | undefined;
  readonly Timeout?: number | undefined;
  readonly Retries?: number | undefined;
  readonly StartPeriod?: number | undefined;
  readonly StartInterval?: number | undefined;
}

/** The request with the image's defaults where it asks for nothing; doing it twice changes nothing. */
export const mergeImage = (request: CreateRequest, image: ImageDefaults): CreateRequest => {
  const ownEntrypoint = request.entrypoint !== null && request.entrypoint.length > 0;
  const ownCommand = request.command !== null && request.command.length > 0;
  const healthcheck = mergeHealthcheck(request.healthcheck, image.Healthcheck);
  return {
    ...request,
    // An entrypoint of one's own does without the image's command; a command keeps the image's entrypoint.
    entrypoint: request.entrypoint ?? (image.Entrypoint?.length ? image.Entrypoint : null),
    command: ownEntrypoint || ownCommand ? request.command : (image.Cmd ?? request.command),
    env: mergeImageEnv(request.env, image.Env ?? []),
    user: request.user || (image.User ?? ""),
    workingDirectory: request.workingDirectory || normalizePath(image.WorkingDir ?? ""),
    labels: Object.fromEntries([...Object.entries(image.Labels ?? {}), ...Object.entries(request.labels)]),
    stopSignal: request.stopSignal || (image.StopSignal ?? ""),
    shell: request.shell.length > 0 ? request.shell : (image.Shell ?? []),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    mounts: [...request.mounts, ...imageVolumes(request, image)],
    network: {
      ...request.network,
      exposedPorts: [...new Set([...request.network.exposedPorts, ...exposedPorts(image)])],
    },
  };
};

/** `80` is `80/tcp`; what is no port is left out, as nothing can come of it. */
const exposedPorts = (image: ImageDefaults): readonly string[] =>
  Object.keys(image.ExposedPorts ?? {})
    .filter((port) => /^\d{1,5}(\/(tcp|udp|sctp))?$/.test(port))
    .map((port) => (port.includes("/") ? port : `${port}/tcp`));

/** The image's volumes are volumes without a name, unless something else is mounted there (CVE-2022-23648: only beneath the root). */
const imageVolumes = (request: CreateRequest, image: ImageDefaults): CreateRequest["mounts"] => {
  const taken = new Set(request.mounts.map(({ target }) => target));
  const targets = new Set(Object.keys(image.Volumes ?? {}).map(normalizePath));
  return [...targets]
    .filter((target) => target !== "" && target !== "/" && !taken.has(target))
    .map((target) => ({ ...plainVolume, isAnonymous: true, target }));
};

const normalizePath = (path: string): string =>
  path === "" ? "" : posix.normalize(`/${path}`).replace(/(?<=.)\/+$/, "");

/** What is not asked for (0, or no test) is the image's. */
const mergeHealthcheck = (
  asked: HealthcheckRequest | undefined,
  image: ImageHealthcheck | undefined,
): HealthcheckRequest | undefined => {
  if (image === undefined) return asked;
  return {
    test: asked?.test.length ? asked.test : (image.Test ?? []),
    interval: asked?.interval || (image.Interval ?? 0),
    timeout: asked?.timeout || (image.Timeout ?? 0),
    retries: asked?.retries || (image.Retries ?? 0),
    startPeriod: asked?.startPeriod || (image.StartPeriod ?? 0),
    startInterval: asked?.startInterval || (image.StartInterval ?? 0),
  };
};
