/** What is mounted in a container because somebody asked for it. */
import type { MountPoint } from "../../api/answers/containers.ts";
import type { CreateRequest, MountRequest, VolumeMountRequest } from "../../container/request.ts";
import { localDriver } from "../../volume/record.ts";
import type { Services } from "../services.ts";

type Desk = Pick<Services, "volumes">;

export const mountPoints = ({ mounts }: CreateRequest, desk: Desk): readonly MountPoint[] =>
  // What `--tmpfs` asks for is in HostConfig.Tmpfs alone, as in Docker; what has no name yet is not mounted.
  mounts
    .filter((mount) => mount.form !== "tmpfs" && (mount.kind !== "volume" || mount.name !== ""))
    .map((mount) => mountPoint(mount, desk));

const mountPoint = (mount: MountRequest, desk: Desk): MountPoint => {
  switch (mount.kind) {
    case "bind":
      return {
        Type: "bind",
        Source: mount.source,
        Destination: mount.target,
        Mode: mount.mode,
        RW: !mount.readonly,
        Propagation: mount.propagation,
      };
    case "tmpfs":
      return {
        Type: "tmpfs",
        Source: "",
        Destination: mount.target,
        Mode: "",
        RW: !mount.options.includes("ro"),
        Propagation: "",
      };
    case "volume":
      return {
        Type: "volume",
        Name: mount.name,
        Source: desk.volumes.mountpoint(mount.name),
        Destination: mount.target,
        Driver: localDriver,
        Mode: modeOf(mount),
        RW: !mount.readonly,
        Propagation: mount.propagationAsked ? mount.propagation : "",
      };
  }
};

/** As Docker has it: what was asked for by name has its default mode; what an image declared, or came from another container, none. */
const modeOf = ({ form, mode }: VolumeMountRequest): string =>
  form === "binds" || form === "mounts" ? mode || "z" : mode;
