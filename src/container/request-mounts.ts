/** `Binds`, `Mounts`, `Tmpfs` and `Volumes` of a request, in Docker's grammar and words (moby, volume/mounts/linux_parser.go). */
import { posix } from "node:path";
import type { ContainerConfig, HostConfig, Mount } from "../api/types.ts";
import { checkVolumeName, localDriver } from "../volume/record.ts";
import { containerError } from "./errors.ts";
import { checkTargets } from "./mounts.ts";
import type {
  BindRequest,
  MountRequest,
  Propagation,
  TmpfsRequest,
  VolumeMountRequest,
  VolumesFromRequest,
} from "./request.ts";
import { mergeTmpfsOptions, parseTmpfsMount } from "./request-tmpfs.ts";

export const parseMounts = (config: ContainerConfig, host: HostConfig): readonly MountRequest[] => {
  const asked = [
    ...(host.Binds ?? []).map((spec) => parseBind(spec, host.VolumeDriver || localDriver)),
    ...(host.Mounts ?? []).map(parseMount),
    ...Object.entries(host.Tmpfs ?? {}).map(([target, options]) => parseTmpfs(target, options)),
  ];
  checkTargets(asked);
  // What is mounted already needs no directory of its own.
  const taken = new Set(asked.map(({ target }) => target));
  const volumes = Object.keys(config.Volumes ?? {}).map((spec) => parseVolume(spec));
  const own = new Map(volumes.map((volume) => [volume.target, volume]));
  return [...asked, ...[...own.values()].filter(({ target }) => !taken.has(target))];
};

const propagations: ReadonlySet<string> = new Set(["private", "rprivate", "shared", "rshared", "slave", "rslave"]);
const isPropagation = (word: string): word is Propagation => propagations.has(word);

/** The words of a bind's options: one of each kind at most. */
const modeKinds = {
  access: new Set(["ro", "rw"]),
  label: new Set(["z", "Z"]),
  propagation: propagations,
  copy: new Set(["nocopy"]),
  consistency: new Set(["consistent", "cached", "delegated"]),
} as const;

const isMode = (mode: string): boolean => {
  if (mode === "") return true;
  const words = mode.split(",");
  const counts = Object.values(modeKinds).map((kind) => words.filter((word) => kind.has(word)).length);
  return counts.every((count) => count <= 1) && counts.reduce((sum, count) => sum + count, 0) === words.length;
};

/** `/host:/container[:options]`, or `/container` alone. */
const parseBind = (spec: string, driver: string): MountRequest => {
  const parts = spec.split(":");
  const [source = "", target = "", mode = ""] = parts;
  if (source === "" || parts.length > 3) throw containerError("invalidVolume", { spec });
  if (parts.length === 1) return parseVolume(spec, "binds", driver);
  // `/foo:rw` names nothing to mount there.
  if (parts.length === 2 && isMode(target)) throw containerError("invalidVolume", { spec });
  if (!isMode(mode)) throw containerError("invalidMountMode", { mode });
  const fail = (reason: string) =>
    containerError("invalidVolumeReason", {
      spec,
      reason: containerError("invalidMount", { type: "bind", reason }).message,
    });
  const problem = targetProblem(target);
  if (problem !== undefined) throw fail(problem);
  const words = mode.split(",");
  const propagation = words.find(isPropagation);
  if (!source.startsWith("/")) {
    checkVolumeName(source);
    return {
      ...plainVolume,
      form: "binds",
      name: source,
      target: clean(target),
      readonly: words.includes("ro"),
      propagation: propagation ?? "rprivate",
      propagationAsked: propagation !== undefined,
      copy: !words.includes("nocopy"),
      driver,
      mode,
    };
  }
  if (words.includes("nocopy")) throw containerError("invalidMountMode", { mode });
  return {
    kind: "bind",
    form: "binds",
    source: clean(source),
    target: clean(target),
    readonly: words.includes("ro"),
    readonlyRecursive: "try",
    recursive: true,
    propagation: propagation ?? "rprivate",
    propagationAsked: propagation !== undefined,
    createSource: true,
    mode,
  };
};

/** A volume about which nothing was said; its target is still to come. */
export const plainVolume = {
  kind: "volume",
  form: "volumes",
  name: "",
  isAnonymous: false,
  readonly: false,
  readonlyRecursive: "try",
  recursive: true,
  propagation: "rprivate",
  propagationAsked: false,
  copy: true,
  subpath: "",
  driver: localDriver,
  labels: null,
  options: null,
  mode: "",
} as const satisfies Omit<VolumeMountRequest, "target">;

/** A path of the container that gets a volume without a name. */
const parseVolume = (spec: string, form: "binds" | "volumes" = "volumes", driver = localDriver): MountRequest => {
  const problem = targetProblem(spec);
  if (problem !== undefined) throw containerError("invalidVolumeReason", { spec, reason: problem });
  if (spec.includes(":")) throw containerError("invalidVolume", { spec });
  return { ...plainVolume, form, driver, isAnonymous: true, target: clean(spec) };
};

/** `NAME`, `NAME:ro`; modes are those of `-v`. */
export const parseVolumesFrom = (host: HostConfig): readonly VolumesFromRequest[] =>
  (host.VolumesFrom ?? []).map((text) => {
    const [container, mode] = split(text, text.indexOf(":"));
    if (container === "") throw containerError("invalidVolumesFrom", { text });
    const words = mode.split(",");
    if (!isMode(mode) || words.some((word) => isPropagation(word) || word === "nocopy")) {
      throw containerError("invalidMountMode", { mode });
    }
    return { container, readonly: words.includes("ro"), text };
  });

const split = (text: string, at: number): readonly [string, string] =>
  at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];

const parseTmpfs = (path: string, options: string): TmpfsRequest => {
  const problem = targetProblem(path);
  if (problem !== undefined) throw containerError("invalidVolumeReason", { spec: path, reason: problem });
  return { kind: "tmpfs", form: "tmpfs", target: clean(path), options: mergeTmpfsOptions(options), mode: options };
};

const parseMount = (mount: Mount): MountRequest => {
  const type = mount.Type ?? "";
  const fail = (reason: string) => containerError("invalidMount", { type, reason });
  const target = mount.Target ?? "";
  if (target === "") throw fail("field Target must not be empty");
  const problem = targetProblem(target);
  if (problem !== undefined) throw fail(problem);
  if (type === "bind") return bindOf(mount, fail);
  if (type === "tmpfs") {
    if (mount.BindOptions) throw fail("field BindOptions must not be specified");
    if (mount.Source) throw fail("field Source must not be specified");
    return parseTmpfsMount(mount, clean(target), fail);
  }
  if (type === "volume") return volumeOf(mount, clean(target), fail);
  if (type === "image" || type === "cluster" || type === "npipe") {
    throw containerError("notSupported", { what: `a mount of type "${type}"` });
  }
  throw fail("mount type unknown");
};

const bindOf = (mount: Mount, fail: (reason: string) => Error): BindRequest => {
  const { Source: source = "", Target: target = "", ReadOnly: readonly = false } = mount;
  const options = mount.BindOptions ?? {};
  const { Propagation: propagation = "", NonRecursive = false, ReadOnlyNonRecursive, ReadOnlyForceRecursive } = options;
  if (source === "") throw fail("field Source must not be empty");
  if (propagation !== "" && !isPropagation(propagation)) throw fail(`invalid propagation mode: ${propagation}`);
  if (mount.VolumeOptions) throw fail("field VolumeOptions must not be specified");
  if (mount.TmpfsOptions) throw fail("field TmpfsOptions must not be specified");
  if (!source.startsWith("/")) throw fail(containerError("relativeMount", { path: source }).message);
  if (ReadOnlyNonRecursive && ReadOnlyForceRecursive) {
    throw fail("mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive");
  }
  return {
    kind: "bind",
    form: "mounts",
    source: clean(source),
    target: clean(target),
    readonly,
    readonlyRecursive: ReadOnlyForceRecursive ? "force" : ReadOnlyNonRecursive ? "no" : "try",
    recursive: !NonRecursive,
    propagation: propagation === "" ? "rprivate" : propagation,
    propagationAsked: propagation !== "",
    createSource: options.CreateMountpoint ?? false,
    mode: "",
  };
};

const volumeOf = (mount: Mount, target: string, fail: (reason: string) => Error): VolumeMountRequest => {
  const { Source: name = "", ReadOnly: readonly = false, VolumeOptions: options } = mount;
  const { NoCopy: noCopy = false, Subpath: subpath = "", Labels: labels, DriverConfig: driver } = options ?? {};
  if (mount.BindOptions) throw fail("field BindOptions must not be specified");
  if (mount.TmpfsOptions) throw fail("field TmpfsOptions must not be specified");
  if (name === "" && readonly) throw fail("must not set ReadOnly mode when using anonymous volumes");
  if (name === "" && subpath !== "") throw fail("must not set Subpath when using anonymous volumes");
  if (subpath.startsWith("/") || subpath.split("/").includes("..")) {
    throw fail("subpath must be a relative path within the volume");
  }
  if (name !== "") checkVolumeName(name);
  return {
    ...plainVolume,
    form: "mounts",
    name,
    isAnonymous: name === "",
    target,
    readonly,
    copy: !noCopy && subpath === "",
    subpath,
    driver: driver?.Name || localDriver,
    labels: labels ?? null,
    options: driver?.Options ?? null,
  };
};

const targetProblem = (path: string): string | undefined => {
  if (!path.startsWith("/")) return containerError("relativeMount", { path }).message;
  if (clean(path) === "/") return containerError("rootMount", {}).message;
  return undefined;
};

/** Without `.`, `..`, doubled and trailing slashes: an open with O_NOFOLLOW follows a link that ends in one. */
const clean = (path: string): string => {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
};
