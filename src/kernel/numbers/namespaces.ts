/** The kinds of namespaces (linux/sched.h), under the names of the OCI runtime spec and of /proc/<pid>/ns. */
export const namespaces = {
  time: { flag: 0x00000080, proc: "time" },
  mount: { flag: 0x00020000, proc: "mnt" },
  cgroup: { flag: 0x02000000, proc: "cgroup" },
  uts: { flag: 0x04000000, proc: "uts" },
  ipc: { flag: 0x08000000, proc: "ipc" },
  user: { flag: 0x10000000, proc: "user" },
  pid: { flag: 0x20000000, proc: "pid" },
  network: { flag: 0x40000000, proc: "net" },
} as const;

export type NamespaceKind = keyof typeof namespaces;

/** The CLONE_NEW… flags of several kinds, as clone(2), unshare(2) and setns(2) take them. */
export const namespaceFlags = (kinds: Iterable<NamespaceKind>): number => {
  let flags = 0;
  for (const kind of kinds) flags |= namespaces[kind].flag;
  return flags;
};
