/** How many clients may wait while the daemon is busy. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Field 4 of /proc/net/unix: __SO_ACCEPTCON, a socket that listens (proc_net(5)). */
const listening = "00010000";

/** The descriptor on which this process listens at the path. */
const listenerAt = (path: string): number | undefined => {
  const line = readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .find((socket) => socket.endsWith(` ${path}`) && socket.split(" ")[3] === listening);
  const inode = line?.split(/ +/)[6];
  const descriptor = readdirSync("/proc/self/fd").find((name) => targetOf(name) === `socket:[${inode}]`);
  return descriptor === undefined ? undefined : Number(descriptor);
};

const targetOf = (descriptor: string): string | undefined => {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined; // that by which the directory was read
  }
};

/**
 * Holds afterwards: as many clients wait at our socket as the kernel allows (net.core.somaxconn). Bun's servers let 512 wait,
 * whatever they are asked for, and the next is refused as if no daemon were there; listen(2) on the same socket changes that,
 * and the keeper's program is who can say it. Where that fails, 512 may wait.
 */
export const widenQueue = (path: string, keeperPath: string): Promise<void> =>
  new Promise((resolve) => {
    const descriptor = listenerAt(path);
    if (descriptor === undefined) return resolve();
    // Not as standard input: a child's is made to block, and with it ours, for they are one.
    const child = spawn(keeperPath, ["--widen"], {
      cwd: "/",
      env: {},
      stdio: ["ignore", "ignore", "ignore", descriptor],
    });
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
