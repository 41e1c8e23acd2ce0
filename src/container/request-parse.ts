/** The door of the room: from a client's JSON to a request that is checked as far as it can be without this host. */
import { posix } from "node:path";
import type { ContainerCreateBody, Healthcheck, HostConfig } from "../api/types.ts";
import { maxVersion, upgradeCreate, upgradeExec } from "../api/versions.ts";
import { parseSignal } from "../kernel/numbers/signals.ts";
import { checkDetachKeys } from "./attach.ts";
import { checkEnv } from "./environment.ts";
import { containerError } from "./errors.ts";
import type { CreateRequest, ExecRequest, HealthcheckRequest } from "./request.ts";
import { anyBody, createBody, execBody } from "./request-body.ts";
import { type LogDefaults, parseLog } from "./request-log.ts";
import { parseMounts, parseVolumesFrom } from "./request-mounts.ts";
import { parseNetwork } from "./request-network.ts";
import { parseResources } from "./request-resources.ts";
import { parseNamespaces, parseSecurity, parseSysctls } from "./request-security.ts";
import { parseRestartPolicy } from "./restart.ts";

/** Parses the body of `POST /containers/create` as a client of that version means it; throws a 400 (or 501 for what is not there yet) with Docker's sentence. */
export const parseCreateRequest = (json: unknown, version = maxVersion, logDefaults?: LogDefaults): CreateRequest => {
  if (anyBody(json ?? undefined, "") === undefined) throw containerError("emptyConfig", {});
  const body: ContainerCreateBody = upgradeCreate(version, createBody(json, ""));
  const host = body.HostConfig ?? {};
  refuseUnsupported(host);
  const network = parseNetwork(body, host);
  const namespaces = parseNamespaces(host);
  const hostname = checkHostname(body.Hostname ?? "");
  if (namespaces.uts.kind === "host" && hostname !== "") {
    throw containerError("conflict", { options: "hostname and the UTS mode" });
  }
  return {
    ...parseProcess(body, host),
    hostname,
    domainname: checkDomainname(body.Domainname ?? ""),
    labels: { ...body.Labels },
    annotations: checkAnnotations(host.Annotations ?? {}),
    ...parseEnd(host),
    ...(host.ContainerIDFile ? { idFile: host.ContainerIDFile } : {}),
    ...(host.Runtime ? { runtime: host.Runtime } : {}),
    init: host.Init ?? false,
    mounts: parseMounts(body, host),
    volumesFrom: parseVolumesFrom(host),
    volumeDriver: host.VolumeDriver ?? "",
    readonlyRootfs: host.ReadonlyRootfs ?? false,
    shmSize: parseShmSize(host.ShmSize ?? 0),
    namespaces,
    security: parseSecurity(host),
    resources: parseResources(host),
    network,
    log: parseLog(host, logDefaults),
    sysctls: parseSysctls(host, namespaces, network),
  };
};

/** What the body of `POST /commit` asks for of a container's configuration; what it does not say is left out. */
export const parseCommitConfig = (json: unknown): Partial<CreateRequest> => {
  if (anyBody(json ?? undefined, "") === undefined) return {};
  const body: ContainerCreateBody = createBody(json, "");
  const { Cmd: command, Entrypoint: entrypoint, Env: env = [], Labels: labels = {}, User: user = "" } = body;
  checkEnv(env ?? []);
  const workingDirectory = parseWorkingDirectory(body.WorkingDir ?? "");
  return {
    ...(command === null || command === undefined ? {} : { command }),
    ...(entrypoint === null || entrypoint === undefined ? {} : { entrypoint }),
    ...(env === null || env.length === 0 ? {} : { env }),
    ...(labels === null || Object.keys(labels).length === 0 ? {} : { labels: { ...labels } }),
    ...(user === "" ? {} : { user }),
    ...(workingDirectory === "" ? {} : { workingDirectory }),
  };
};

/** Parses the body of `POST /containers/{id}/exec`. */
export const parseExecRequest = (json: unknown, version = maxVersion): ExecRequest => {
  const body = execBody(json ?? undefined, "");
  if (body.Cmd.length === 0) throw containerError("noExecCommand", {});
  checkDetachKeys(body.DetachKeys, "escape");
  checkEnv(body.Env);
  // Whether it can be had is only asked when the session starts, as in Docker.
  const isAbsolute = body.WorkingDir.startsWith("/");
  const workingDirectory = isAbsolute ? parseWorkingDirectory(body.WorkingDir) : body.WorkingDir;
  return {
    args: body.Cmd,
    env: body.Env,
    ...(body.User === "" ? {} : { user: body.User }),
    ...(workingDirectory === "" ? {} : { workingDirectory }),
    tty: body.Tty,
    stdin: body.AttachStdin,
    stdout: body.AttachStdout,
    stderr: body.AttachStderr,
    privileged: body.Privileged,
    ...(body.DetachKeys === "" ? {} : { detachKeys: body.DetachKeys }),
    ...consoleSize(upgradeExec(version, body).ConsoleSize ?? []),
  };
};

const parseProcess = (body: ContainerCreateBody, host: HostConfig) => {
  const { Image: image = "", Env: env, StopSignal: stopSignal = "" } = body;
  const oomScoreAdj = host.OomScoreAdj ?? 0;
  if (image === "") throw containerError("noImage", {});
  checkEnv(env ?? []);
  if (stopSignal !== "") parseSignal(stopSignal);
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000) throw containerError("invalidOomScoreAdj", { value: oomScoreAdj });
  const healthcheck = parseHealthcheck(body.Healthcheck);
  return {
    image,
    entrypoint: body.Entrypoint ?? null,
    command: body.Cmd ?? null,
    env: env ?? [],
    user: body.User ?? "",
    groups: host.GroupAdd ?? [],
    workingDirectory: parseWorkingDirectory(body.WorkingDir ?? ""),
    tty: body.Tty ?? false,
    openStdin: body.OpenStdin ?? false,
    stdinOnce: body.StdinOnce ?? false,
    attach: {
      stdin: body.AttachStdin ?? false,
      stdout: body.AttachStdout ?? false,
      stderr: body.AttachStderr ?? false,
    },
    ...consoleSize(host.ConsoleSize ?? []),
    stopSignal,
    ...stopTimeout(body.StopTimeout),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    shell: body.Shell ?? [],
    oomScoreAdj,
  };
};

/** What becomes of it when it has ended. */
const parseEnd = (host: HostConfig) => {
  const restart = parseRestartPolicy(host.RestartPolicy);
  const autoRemove = host.AutoRemove ?? false;
  if (autoRemove && restart !== undefined) throw containerError("restartAndRemove", {});
  return { autoRemove, ...(restart === undefined ? {} : { restart }) };
};

const consoleSize = ([rows = 0, columns = 0]: readonly number[]) =>
  rows === 0 && columns === 0 ? {} : { consoleSize: { rows, columns } };

const stopTimeout = (seconds: number | null | undefined) => {
  if (seconds === null || seconds === undefined) return {};
  return { stopTimeout: Math.max(seconds, -1) };
};

const parseWorkingDirectory = (path: string): string => {
  if (path === "") return "";
  if (!path.startsWith("/")) throw containerError("relativeWorkingDirectory", { path });
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
};

/** Kept as it is, and shown; less than a millisecond is a mistake in the unit. */
const parseHealthcheck = (body: Healthcheck | null | undefined): HealthcheckRequest | undefined => {
  if (body === null || body === undefined) return undefined;
  const {
    Interval: interval = 0,
    Timeout: timeout = 0,
    StartPeriod: startPeriod = 0,
    StartInterval: startInterval = 0,
  } = body;
  const durations = { Interval: interval, Timeout: timeout, StartPeriod: startPeriod, StartInterval: startInterval };
  for (const [field, value] of Object.entries(durations)) {
    if (value !== 0 && value < 1_000_000)
      throw containerError("invalidHealthcheck", { field, problem: "less than 1ms" });
  }
  const retries = body.Retries ?? 0;
  if (retries < 0) throw containerError("invalidHealthcheck", { field: "Retries", problem: "negative" });
  return { test: body.Test ?? [], interval, timeout, retries, startPeriod, startInterval };
};

/** sethostname(2) takes 64 bytes; the name becomes a line of /etc/hosts and /etc/hostname. */
const isHostName = (name: string): boolean =>
  Buffer.byteLength(name) <= 64 && /^[^\s/#\u0000-\u001f\u007f]*$/.test(name);

const checkHostname = (name: string): string => {
  if (!isHostName(name)) throw containerError("invalidHostname", { name });
  return name;
};

const checkDomainname = (name: string): string => {
  if (!isHostName(name)) throw containerError("invalidDomainname", { name });
  return name;
};

const checkAnnotations = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  if (Object.hasOwn(annotations, "")) throw containerError("invalidAnnotation", {});
  return { ...annotations };
};

const defaultShmSize = 64 * 1024 * 1024;

const parseShmSize = (size: number): number => {
  if (size < 0) throw containerError("invalidShmSize", {});
  return size === 0 ? defaultShmSize : size;
};

/** What later versions bring is refused rather than forgotten. */
const refuseUnsupported = (host: HostConfig & { readonly KernelMemory?: number }): void => {
  const refuse = (what: string) => containerError("notSupported", { what });
  if (Object.keys(host.StorageOpt ?? {}).length > 0) throw refuse("a storage option");
  if (host.Cgroup) throw containerError("invalidMode", { namespace: "cgroup", mode: host.Cgroup });
  // The kernel has no such limit any more (deprecated in Linux 5.4).
  if (host.KernelMemory || host.KernelMemoryTCP) throw refuse("a limit of kernel memory");
  if (host.Isolation && host.Isolation !== "default") {
    throw containerError("invalidMode", { namespace: "isolation", mode: host.Isolation });
  }
};
