/** The versions of the API that pier speaks, and how a request names one. */
import type { ImageInspect, ImageSummary } from "./answers/images.ts";
import { apiError } from "./errors.ts";
import type { RouteName } from "./routes.ts";
import type {
  ContainerConfig,
  ContainerCreateBody,
  EndpointSettings,
  ExecCreateBody,
  Healthcheck,
  Mount,
} from "./types.ts";

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

/** Parameters that came later than their operation, and with which version. */
const laterParameters: Partial<Record<RouteName, Readonly<Record<string, string>>>> = {
  containerCreate: { platform: "1.41" },
  containerRestart: { signal: "1.42" },
  containerStats: { "one-shot": "1.41" },
  containerStop: { signal: "1.42" },
  containerWait: { condition: "1.30" },
};

/** The parameters that a client of `version` cannot mean: as in Docker they are not read. */
export const unknownParameters = (version: string, route: RouteName): readonly string[] =>
  Object.entries(laterParameters[route] ?? {}).flatMap(([name, since]) => (isAtLeast(version, since) ? [] : [name]));

/** A summary as a client of `version` reads it: before 1.44 there was a VirtualSize, before 1.43 a name for what has none. */
export const imageSummaryFor = (version: string, summary: ImageSummary): ImageSummary => ({
  ...summary,
  ...(isAtLeast(version, "1.44") ? {} : { VirtualSize: summary.Size }),
  ...(isAtLeast(version, "1.43") || summary.RepoTags.length > 0
    ? {}
    : { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] }),
});

/** What takes the disk, as a client of `version` reads it: before 1.44 images had a VirtualSize, before 1.42 the cache of builds a sum. */
export const diskUsageFor = <T extends ListedUsage>(version: string, usage: T): T => ({
  ...usage,
  ...(isAtLeast(version, "1.44") || usage.Images === undefined
    ? {}
    : { Images: usage.Images.map((image) => ({ ...image, VirtualSize: image.Size })) }),
  ...(isAtLeast(version, "1.42") || usage.BuildCache === undefined
    ? {}
    : { BuilderSize: usage.BuildCache.reduce((sum, { Size: size }) => sum + size, 0) }),
});

interface ListedUsage {
  readonly Images?: readonly ImageSummary[];
  readonly BuildCache?: readonly { readonly Size: number }[];
}

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

/** What images that no container was committed for had of one. */
const noContainer = {
  Container: "",
  ContainerConfig: {
    ...constantConfig,
    User: "",
    Env: null,
    Cmd: null,
    Volumes: null,
    WorkingDir: "",
    Entrypoint: null,
    OnBuild: null,
    Labels: null,
  },
} as const;

/** An image as a client of `version` reads it: before 1.50 its configuration was that of a container. */
export const imageInspectFor = (version: string, answer: ImageInspect): ImageInspect => ({
  ...answer,
  ...(isAtLeast(version, "1.50") ? {} : { Config: { ...constantConfig, ...answer.Config } }),
  ...(isAtLeast(version, "1.45") ? {} : noContainer),
  ...(isAtLeast(version, "1.44") ? {} : { VirtualSize: answer.Size }),
});

/** What a client of `version` means by the body of a create: what came later it cannot mean, but for what it must not miss. */
export const upgradeCreate = (version: string, body: ContainerCreateBody): ContainerCreateBody => {
  if (isAtLeast(version, "1.45")) return body;
  const host = body.HostConfig ?? {};
  const names = Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (!isAtLeast(version, "1.44") && names.length > 1) {
    throw apiError("severalNetworks", { networks: names.sort().join(", ") });
  }
  const { Annotations: annotations, AutoRemove: goesAtEnd, ConsoleSize: size, ...rest } = host;
  return {
    ...body,
    ...(body.Healthcheck ? { Healthcheck: healthcheckOf(version, body.Healthcheck) } : {}),
    HostConfig: {
      ...rest,
      ...(annotations && isAtLeast(version, "1.43") ? { Annotations: annotations } : {}),
      // Until then the client removed it.
      ...(goesAtEnd !== undefined && isAtLeast(version, "1.25") ? { AutoRemove: goesAtEnd } : {}),
      ...(size && isAtLeast(version, "1.42") ? { ConsoleSize: size } : {}),
      // Others could always share the IPC namespace.
      ...(isAtLeast(version, "1.40") || host.IpcMode ? {} : { IpcMode: "shareable" }),
      ...(host.Mounts ? { Mounts: host.Mounts.map((mount) => mountOf(version, mount)) } : {}),
    },
  };
};

const healthcheckOf = (version: string, { StartInterval: interval, ...check }: Healthcheck): Healthcheck =>
  interval === undefined || !isAtLeast(version, "1.44") ? check : { ...check, StartInterval: interval };

const mountOf = (version: string, mount: Mount): Mount => {
  const { Type: type, BindOptions: bind, VolumeOptions: volume, TmpfsOptions: tmpfs } = mount;
  if (volume?.Subpath) throw apiError("needsVersion", { what: "VolumeOptions.Subpath", since: "1.45" });
  if (bind?.ReadOnlyForceRecursive && !isAtLeast(version, "1.44")) {
    throw apiError("needsVersion", { what: "BindOptions.ReadOnlyForceRecursive", since: "1.44" });
  }
  if (isAtLeast(version, "1.42")) return mount;
  const { CreateMountpoint: _create, NonRecursive: flat, ...options } = bind ?? {};
  // What belongs to mounts of another type was not refused.
  return {
    ...mount,
    BindOptions: bind ? { ...options, ...(flat && isAtLeast(version, "1.40") ? { NonRecursive: flat } : {}) } : null,
    VolumeOptions: type === "volume" ? (volume ?? null) : null,
    TmpfsOptions: type === "tmpfs" ? (tmpfs ?? null) : null,
  };
};

/** A change as a client of `version` asks for it: before 1.40 none was of the number of processes. */
export const upgradeUpdate = <T extends { readonly PidsLimit: number | null }>(version: string, update: T): T =>
  isAtLeast(version, "1.40") ? update : { ...update, PidsLimit: null };

/** A session as a client of `version` asks for it: before 1.42 nobody said how large a terminal is to be. */
export const upgradeExec = (version: string, exec: ExecCreateBody): ExecCreateBody =>
  isAtLeast(version, "1.42") ? exec : { ...exec, ConsoleSize: null };

/** A container as a client of `version` reads it: before 1.45 what it is called by itself stood among its aliases. */
export const containerInspectFor = <T extends NamedContainer>(version: string, answer: T): T => {
  if (isAtLeast(version, "1.45")) return answer;
  const { Networks: networks } = answer.NetworkSettings;
  const own = [answer.Id.slice(0, 12), answer.Config.Hostname ?? ""];
  const named = Object.entries(networks).map(([name, endpoint]) => [
    name,
    isCommon(name) ? endpoint : { ...endpoint, Aliases: [...new Set([...(endpoint.Aliases ?? []), ...own])] },
  ]);
  return { ...answer, NetworkSettings: { ...answer.NetworkSettings, Networks: Object.fromEntries(named) } };
};

interface NamedContainer {
  readonly Id: string;
  readonly Config: ContainerConfig;
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, EndpointSettings>> };
}

/** A network that every engine has. */
const isCommon = (name: string): boolean => ["bridge", "host", "none", "default"].includes(name);
