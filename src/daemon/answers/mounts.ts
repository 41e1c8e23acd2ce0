/** What is mounted in a container because somebody asked for it. */
import type { MountPoint } from "../../api/answers.ts";
import { anonymousSource } from "../../container/mounts.ts";
import type { CreateRequest, MountRequest } from "../../container/request.ts";

/** `directory` is the container's own, on the host. */
export const mountPoints = (request: CreateRequest, directory: string): readonly MountPoint[] =>
  // What `--tmpfs` asks for is in HostConfig.Tmpfs alone, as in Docker.
  request.mounts.filter(({ form }) => form !== "tmpfs").map((mount) => mountPoint(mount, request, directory));

const mountPoint = (mount: MountRequest, request: CreateRequest, directory: string): MountPoint => {
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
    case "anonymous":
      return {
        Type: "volume",
        Source: anonymousSource(request, mount, directory),
        Destination: mount.target,
        Driver: "local",
        Mode: "",
        RW: true,
        Propagation: "",
      };
  }
};
