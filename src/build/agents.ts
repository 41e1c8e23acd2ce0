/** `RUN --mount=type=ssh`: a socket for one step, behind which the client's ssh agent answers. Keys stay where they are. */
import { once } from "node:events";
import { chmod, chown } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";

/** The agents that a client lets its build use. */
export interface Agents {
  has(id: string): Promise<boolean>;
  /** Passes on what comes from either side; resolves when one of them has gone. */
  forward(id: string, socket: Duplex): Promise<void>;
}

/** No client's. */
export const noAgents: Agents = { has: () => Promise.resolve(false), forward: () => Promise.resolve() };

export class AgentSocket implements Disposable {
  readonly path: string;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(path: string, server: Server, sockets: ReadonlySet<Socket>) {
    this.path = path;
    this.#server = server;
    this.#sockets = sockets;
  }

  /** Holds afterwards: a socket in the directory, which is its own, answers as the agent does. */
  static async open(
    agents: Agents,
    id: string,
    directory: string,
    owner: { readonly uid: number; readonly gid: number; readonly mode: number },
  ): Promise<AgentSocket> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      socket.on("error", () => {});
      agents.forward(id, socket).then(
        () => socket.destroy(),
        () => socket.destroy(),
      );
    });
    const path = join(directory, "agent");
    server.listen(path);
    await once(server, "listening");
    await chown(path, owner.uid, owner.gid);
    await chmod(path, owner.mode);
    return new AgentSocket(path, server, sockets);
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
