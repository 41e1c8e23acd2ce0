/** A request as the Config that asks for it, the image's defaults included. */
import { hostname } from "node:os";
import type { ContainerConfig, Healthcheck, Keys } from "../../api/types.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { CreateRequest, HealthcheckRequest } from "../../container/request.ts";
import { hostnameOf } from "../../container/spec.ts";

export const keysOf = (names: readonly string[]): Keys => Object.fromEntries(names.map((name) => [name, {}]));

export const configAnswer = ({ id, request }: ContainerRecord): ContainerConfig => {
  const exposed = exposedPorts(request);
  const volumes = request.mounts.filter(({ form }) => form === "volumes").map(({ target }) => target);
  return {
    Hostname: hostnameOf(request, id, { hostname: hostname() }),
    Domainname: request.domainname,
    User: request.user,
    AttachStdin: request.attach.stdin,
    AttachStdout: request.attach.stdout,
    AttachStderr: request.attach.stderr,
    ...(exposed.length === 0 ? {} : { ExposedPorts: keysOf(exposed) }),
    Tty: request.tty,
    OpenStdin: request.openStdin,
    StdinOnce: request.stdinOnce,
    Env: request.env,
    Cmd: request.command,
    ...(request.healthcheck === undefined ? {} : { Healthcheck: healthcheckAnswer(request.healthcheck) }),
    Image: request.image,
    Volumes: volumes.length === 0 ? null : keysOf(volumes),
    WorkingDir: request.workingDirectory,
    Entrypoint: request.entrypoint,
    OnBuild: null,
    Labels: request.labels,
    ...(request.stopSignal === "" ? {} : { StopSignal: request.stopSignal }),
    ...(request.stopTimeout === undefined ? {} : { StopTimeout: request.stopTimeout }),
    ...(request.shell.length === 0 ? {} : { Shell: request.shell }),
  };
};

/** What is published is exposed too, whether the client said so or not. */
export const exposedPorts = ({ network }: CreateRequest): readonly string[] => [
  ...new Set([
    ...network.exposedPorts,
    ...network.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`),
  ]),
];

const healthcheckAnswer = (check: HealthcheckRequest): Healthcheck => ({
  Test: check.test,
  ...(check.interval === 0 ? {} : { Interval: check.interval }),
  ...(check.timeout === 0 ? {} : { Timeout: check.timeout }),
  ...(check.startPeriod === 0 ? {} : { StartPeriod: check.startPeriod }),
  ...(check.startInterval === 0 ? {} : { StartInterval: check.startInterval }),
  ...(check.retries === 0 ? {} : { Retries: check.retries }),
});
