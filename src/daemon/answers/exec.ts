import type { ExecInspect } from "../../api/answers/containers.ts";
import type { ExecView } from "../services.ts";

export const execAnswer = ({ id, container, request, state }: ExecView): ExecInspect => {
  const [entrypoint = "", ...args] = request.args;
  return {
    ID: id,
    Running: state.status === "running",
    ExitCode: state.status === "exited" ? state.exitCode : null,
    ProcessConfig: {
      tty: request.tty,
      entrypoint,
      arguments: args,
      privileged: request.privileged,
      ...(request.user === undefined ? {} : { user: request.user }),
    },
    OpenStdin: request.stdin,
    OpenStderr: request.stderr,
    OpenStdout: request.stdout,
    CanRemove: state.status === "exited",
    ContainerID: container,
    DetachKeys: request.detachKeys ?? "",
    Pid: state.status === "running" ? state.pid : 0,
  };
};
