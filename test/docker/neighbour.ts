/** Another machine at the host's interface, as a network namespace; it knows nothing of the containers' networks. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

export const hostAddress = "198.18.77.1";
export const hostAddress6 = "2001:db8:77::1";
export const neighbourAddress = "198.18.77.2";
export const neighbourAddress6 = "2001:db8:77::2";

/** It lives as long as the process that is answered; both speak both families. */
export const openNeighbour = async (): Promise<ChildProcess> => {
  const holder = spawn("unshare", ["-n", "sh", "-c", "echo ready; exec sleep 1000000"], { stdio: "pipe" });
  await once(holder.stdout, "data");
  // Not a name like those of pier itself: a daemon of this machine keeps other networks from its own.
  const inside = `nsenter -t ${holder.pid} -n`;
  const commands = [
    // An earlier one's is there until the kernel has come to its namespace.
    "ip link delete outside0 2>/dev/null || true",
    `ip link add outside0 type veth peer name eth0 netns ${holder.pid}`,
    `ip addr add ${hostAddress}/30 dev outside0`,
    "ip link set outside0 up",
    `${inside} ip addr add ${neighbourAddress}/30 dev eth0`,
    `${inside} ip link set eth0 up`,
    `${inside} ip link set lo up`,
    // Nobody looks for duplicates: an address that is being checked cannot be used.
    `ip addr add ${hostAddress6}/64 dev outside0 nodad`,
    `${inside} ip addr add ${neighbourAddress6}/64 dev eth0 nodad`,
  ];
  execFileSync("sh", ["-ec", commands.join("\n")]);
  return holder;
};

/** Holds afterwards: it and its interface are gone. */
export const closeNeighbour = async (neighbour: ChildProcess): Promise<void> => {
  neighbour.kill("SIGKILL");
  await once(neighbour, "exit");
};
