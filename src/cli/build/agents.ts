/** `--ssh`: the agents that a build may use, as its session serves them. */
import { statSync } from "node:fs";
import { connect } from "node:net";
import { codes, decodeFrames, encodeFrame, GrpcError, type GrpcMethod, unary } from "../../format/buildkit/grpc.ts";
import { agentHeader, agentRequest, agentService, fileData, nothing } from "../../format/buildkit/messages.ts";
import { cliError } from "../errors.ts";

/** Sockets by their ids: `default`, `ID=SOCKET`; without one that of our own environment. */
export const openAgents = (given: readonly string[]): ReadonlyMap<string, string> =>
  new Map(
    given.map((text) => {
      const [id = "", path = process.env.SSH_AUTH_SOCK ?? ""] = text.split("=");
      if (path === "") throw cliError("noAgent", {});
      if (statSync(path, { throwIfNoEntry: false })?.isSocket() !== true) throw cliError("agentSocket", { path });
      return [id, path] as const;
    }),
  );

export const agentMethods = (
  agents: ReadonlyMap<string, string>,
): readonly (readonly [path: string, method: GrpcMethod])[] => {
  const pathOf = (id: string): string => {
    const path = agents.get(id === "" ? "default" : id);
    if (path === undefined) throw new GrpcError(codes.notFound, `unset ssh forward key ${id}`);
    return path;
  };
  return [
    [
      `${agentService}CheckAgent`,
      unary(agentRequest, nothing, ({ ID }) => {
        pathOf(ID);
        return {};
      }),
    ],
    [`${agentService}ForwardAgent`, forward(pathOf)],
  ];
};

const forward =
  (pathOf: (id: string) => string): GrpcMethod =>
  async ({ stream, headers }, write) => {
    const agent = connect(pathOf(String(headers[agentHeader] ?? "")));
    agent.on("data", (data: Buffer) => write(encodeFrame(fileData, { data })));
    const gone = new Promise<void>((resolve) => {
      agent.once("close", () => resolve());
      agent.on("error", () => resolve());
    });
    const read = async (): Promise<void> => {
      for await (const { data } of decodeFrames(fileData, stream)) agent.write(data);
    };
    await Promise.race([read(), gone]);
    agent.destroy();
  };
