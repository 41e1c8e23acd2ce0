/** The path of our socket: ours alone, and only for those who may use it. */

import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { daemonError } from "./errors.ts";

/** Whoever can open the socket is root in all but name: root, and the socket's group. */
const socketMode = 0o660;
/** Beneath the directory nobody but root can look around, and the group reaches the socket. */
const directoryMode = 0o711;
/** sizeof(sockaddr_un.sun_path), less the NUL (unix(7)). */
const maxPathBytes = 107;

/** Holds afterwards: the server listens at the path with the right mode; a dead daemon's socket made room. */
export const claimSocket = async (path: string, server: Server): Promise<void> => {
  if (Buffer.byteLength(path) > maxPathBytes) throw daemonError("socketPathTooLong", { path });
  await mkdir(dirname(path), { recursive: true, mode: directoryMode });
  await removeStale(path);
  // The socket must not be open to all for even a moment.
  const before = process.umask(0o777 & ~socketMode);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } finally {
    process.umask(before);
  }
  await chmod(path, socketMode);
};

/** Holds afterwards: nothing stands at the path. */
export const releaseSocket = async (path: string): Promise<void> => {
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOENT") throw error;
  });
};

const removeStale = async (path: string): Promise<void> => {
  try {
    if (!(await lstat(path)).isSocket()) throw daemonError("notASocket", { path });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  if (await isServed(path)) throw daemonError("socketInUse", { path });
  await releaseSocket(path);
};

const isServed = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const settle = (served: boolean): void => {
      socket.destroy();
      resolve(served);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
