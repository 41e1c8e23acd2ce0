/**
 * The AppArmor profile of containers that ask for no other: what Docker's default forbids (moby/profiles/apparmor), as a
 * second wall behind masks, read-only mounts and seccomp. Pure.
 */

export const defaultProfile = "pier-default";
/** Docker's word for none. */
export const unconfined = "unconfined";

/** Patterns for every name beneath the directory, and what is below it, but one: `/sys/[^f]*`, `/sys/f[^s]*`, `/sys/fs?*`. */
const allBut = (directory: string, name: string, others = ""): readonly string[] =>
  [...[...name].map((letter, at) => `${name.slice(0, at)}[^${letter}${at === 0 ? others : ""}]*`), `${name}?*`].map(
    (pattern) => `${directory}/${pattern}{,/**}`,
  );

const deny = (access: string, ...paths: readonly string[]): readonly string[] =>
  paths.map((path) => `deny ${path} ${access},`);

const rules: readonly string[] = [
  "network,",
  "deny network alg,",
  "capability,",
  "file,",
  "unix,",
  "umount,",
  "deny mount,",
  // The host's own processes, the keeper among them, may say signals; and the container's to each other.
  "signal (receive) peer=unconfined,",
  `signal (send, receive) peer=${defaultProfile},`,
  `ptrace (trace, read, tracedby, readby) peer=${defaultProfile},`,
  // Of /proc only processes' own directories, and the kernel's shared memory, which is the container's own.
  ...deny("w", "/proc/*", ...allBut("/proc", "sys", "0-9")),
  ...deny("w", ...allBut("/proc/sys", "kernel")),
  ...deny("w", "/proc/sys/kernel/[^s]**", "/proc/sys/kernel/s[^h]**", "/proc/sys/kernel/sh[^m]**"),
  ...deny("rwklx", "/proc/sysrq-trigger", "/proc/kcore"),
  // Of /sys only control groups.
  ...deny("wklx", ...allBut("/sys", "fs"), ...allBut("/sys/fs", "cgroup")),
  ...deny("rwklx", "/sys/firmware/**", "/sys/devices/virtual/powercap/**", "/sys/kernel/security/**"),
];

/** The profile as apparmor_parser(8) reads it. Descriptors and paths of a root that was left behind count as seen from it. */
export const encodeDefaultProfile = (): string =>
  [
    `profile ${defaultProfile} flags=(attach_disconnected,mediate_deleted) {`,
    ...rules.map((rule) => `  ${rule}`),
    "}",
    "",
  ].join("\n");
