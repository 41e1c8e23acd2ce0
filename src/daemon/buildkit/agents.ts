/** The ssh agents in a client's session. */
import type { Duplex } from "node:stream";
import { drained } from "../../base/drained.ts";
import type { Agents } from "../../build/agents.ts";
import { decodeFrames, encodeFrame } from "../../format/buildkit/grpc.ts";
import { agentHeader, agentRequest, agentService, fileData, nothing } from "../../format/buildkit/messages.ts";
import type { Session } from "./session.ts";

export const agentsOf = (session: Session): Agents => ({
  has: async (ID) => {
    try {
      await session.ask(`${agentService}CheckAgent`, [agentRequest, { ID }], nothing);
      return true;
    } catch {
      // Whatever it says: there is none.
      return false;
    }
  },
  forward: async (id, socket) => {
    const stream = session.open(`${agentService}ForwardAgent`, { [agentHeader]: id });
    stream.on("error", () => socket.destroy());
    socket.once("close", () => stream.close());
    const send = async (socket: Duplex): Promise<void> => {
      for await (const data of socket as AsyncIterable<Buffer>) {
        if (!stream.write(encodeFrame(fileData, { data }))) await drained(stream);
      }
      stream.end();
    };
    send(socket).catch(() => stream.close());
    for await (const { data } of decodeFrames(fileData, stream)) socket.write(data);
  },
});
