/** A container as `inspect` and `ps` show it. */
import { join } from "node:path";
import type { ContainerInspect, ContainerSummary, GraphDriver } from "../../api/answers/containers.ts";
import { linkTexts } from "../../container/links.ts";
import { containerPaths } from "../../container/paths.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { profileOf } from "../../container/spec.ts";
import { wordOf } from "../../container/state.ts";
import type { Services } from "../services.ts";
import { configAnswer } from "./config.ts";
import { hostConfigAnswer, networkMode } from "./host-config.ts";
import { mountPoints } from "./mounts.ts";
import { endpointAnswers, networkSettingsAnswer, portSummaries } from "./network.ts";
import { stateAnswer, statusText } from "./state.ts";
import { formatTime } from "./time.ts";

/** What keeps images and containers: layers as EROFS, containers as overlays over them. */
export const storageDriver = "erofs";

type Desk = Pick<Services, "containers" | "images" | "networks" | "volumes" | "host" | "root" | "run">;

export const containerAnswer = (record: ContainerRecord, desk: Desk): ContainerInspect => {
  const { id, request, command } = record;
  const paths = containerPaths(desk, id);
  const [path = "", ...args] = command;
  return {
    Id: id,
    Created: formatTime(record.created),
    Path: path,
    Args: args,
    State: { ...stateAnswer(record), ...(record.removing ? { Status: "removing" } : {}) },
    Image: record.image.id,
    ResolvConfPath: join(paths.directory, "resolv.conf"),
    HostnamePath: join(paths.directory, "hostname"),
    HostsPath: join(paths.directory, "hosts"),
    LogPath: request.log.driver === "json-file" ? paths.log : "",
    Name: `/${record.name}`,
    RestartCount: record.restarts,
    Driver: storageDriver,
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: desk.host.apparmor ? profileOf(request) : "",
    ExecIDs: execsOf(record, desk),
    HostConfig: { ...hostConfigAnswer(request, desk.host.throttledCpus), Links: linksOf(record, desk) },
    GraphDriver: graphDriver(record, paths),
    Mounts: mountPoints(request, desk),
    Config: configAnswer(record),
    NetworkSettings: networkSettingsAnswer(record, desk.networks),
  };
};

const linksOf = (record: ContainerRecord, { containers }: Desk): readonly string[] | null => {
  const links = linkTexts(record, (id) => containers.list().find((one) => one.id === id));
  return links.length === 0 ? null : links;
};

/** Those that have not begun among them. */
const execsOf = ({ id }: ContainerRecord, { containers }: Desk): readonly string[] | null => {
  const execs = containers.execsOf(id);
  return execs.length === 0 ? null : execs;
};

const graphDriver = ({ state }: ContainerRecord, paths: { upper: string; work: string }): GraphDriver => ({
  Name: storageDriver,
  Data: {
    // No host path leads into a container but the kernel's own.
    ...(state.status === "running" ? { MergedDir: `/proc/${state.pid}/root` } : {}),
    UpperDir: paths.upper,
    WorkDir: paths.work,
  },
});

export const summaryAnswer = (
  record: ContainerRecord,
  names: readonly string[],
  desk: Desk,
  now: number,
): ContainerSummary => {
  const { id, request, state } = record;
  const { annotations } = request;
  return {
    Id: id,
    Names: names,
    Image: imageText(record, desk),
    ImageID: record.image.id,
    Command: record.command.map((word, index) => (index > 0 && word.includes(" ") ? `'${word}'` : word)).join(" "),
    Created: Math.floor(record.created / 1000),
    Ports: portSummaries(record),
    Labels: request.labels,
    State: record.removing ? "removing" : wordOf(state),
    Status: record.removing ? "Removal In Progress" : statusText(record, now),
    HostConfig: {
      NetworkMode: networkMode(request.network.name, request.network.mode),
      ...(Object.keys(annotations).length === 0 ? {} : { Annotations: annotations }),
    },
    NetworkSettings: { Networks: endpointAnswers(record, desk.networks) },
    Mounts: mountPoints(request, desk),
  };
};

/** As the user wrote it, as long as that still means the same image. */
const imageText = ({ image }: ContainerRecord, { images }: Desk): string =>
  images.find(image.reference)?.id === image.id ? image.reference : image.id;
