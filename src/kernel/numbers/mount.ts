/** The numbers of mount(2), umount2(2) and mount_setattr(2) (linux/mount.h), and the options people write for them. */

/** mount(2)'s flags. */
export const mountFlags = {
  MS_RDONLY: 1,
  MS_NOSUID: 2,
  MS_NODEV: 4,
  MS_NOEXEC: 8,
  MS_SYNCHRONOUS: 16,
  MS_REMOUNT: 32,
  MS_MANDLOCK: 64,
  MS_DIRSYNC: 128,
  MS_NOSYMFOLLOW: 256,
  MS_NOATIME: 1024,
  MS_NODIRATIME: 2048,
  MS_BIND: 4096,
  MS_MOVE: 8192,
  MS_REC: 16384,
  MS_SILENT: 32768,
  MS_POSIXACL: 65536,
  MS_UNBINDABLE: 131072,
  MS_PRIVATE: 262144,
  MS_SLAVE: 524288,
  MS_SHARED: 1048576,
  MS_RELATIME: 2097152,
  MS_I_VERSION: 8388608,
  MS_STRICTATIME: 16777216,
  MS_LAZYTIME: 33554432,
} as const;

/** umount2(2)'s flags. */
export const unmountFlags = { MNT_FORCE: 1, MNT_DETACH: 2, MNT_EXPIRE: 4, UMOUNT_NOFOLLOW: 8 } as const;

/** mount_setattr(2)'s attributes. The three ways of access times are values of one field, not bits. */
export const mountAttributes = {
  MOUNT_ATTR_RDONLY: 0x1,
  MOUNT_ATTR_NOSUID: 0x2,
  MOUNT_ATTR_NODEV: 0x4,
  MOUNT_ATTR_NOEXEC: 0x8,
  MOUNT_ATTR__ATIME: 0x70,
  MOUNT_ATTR_RELATIME: 0x0,
  MOUNT_ATTR_NOATIME: 0x10,
  MOUNT_ATTR_STRICTATIME: 0x20,
  MOUNT_ATTR_NODIRATIME: 0x80,
  MOUNT_ATTR_IDMAP: 0x100000,
  MOUNT_ATTR_NOSYMFOLLOW: 0x200000,
} as const;

const { MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE } = mountFlags;

/** How mounts spread, under the names of `-v` and of the OCI runtime spec. */
export const propagations = {
  private: MS_PRIVATE,
  rprivate: MS_PRIVATE | MS_REC,
  slave: MS_SLAVE,
  rslave: MS_SLAVE | MS_REC,
  shared: MS_SHARED,
  rshared: MS_SHARED | MS_REC,
  unbindable: MS_UNBINDABLE,
  runbindable: MS_UNBINDABLE | MS_REC,
} as const;
export type Propagation = keyof typeof propagations;

/** Every option that is a flag of mount(2) and not data for the file system. */
export const mountOptions: Readonly<Record<string, { readonly set: number } | { readonly clear: number }>> = {
  ro: { set: mountFlags.MS_RDONLY },
  rw: { clear: mountFlags.MS_RDONLY },
  nosuid: { set: mountFlags.MS_NOSUID },
  suid: { clear: mountFlags.MS_NOSUID },
  nodev: { set: mountFlags.MS_NODEV },
  dev: { clear: mountFlags.MS_NODEV },
  noexec: { set: mountFlags.MS_NOEXEC },
  exec: { clear: mountFlags.MS_NOEXEC },
  sync: { set: mountFlags.MS_SYNCHRONOUS },
  async: { clear: mountFlags.MS_SYNCHRONOUS },
  dirsync: { set: mountFlags.MS_DIRSYNC },
  remount: { set: mountFlags.MS_REMOUNT },
  mand: { set: mountFlags.MS_MANDLOCK },
  nomand: { clear: mountFlags.MS_MANDLOCK },
  noatime: { set: mountFlags.MS_NOATIME },
  atime: { clear: mountFlags.MS_NOATIME },
  nodiratime: { set: mountFlags.MS_NODIRATIME },
  diratime: { clear: mountFlags.MS_NODIRATIME },
  relatime: { set: mountFlags.MS_RELATIME },
  norelatime: { clear: mountFlags.MS_RELATIME },
  strictatime: { set: mountFlags.MS_STRICTATIME },
  nostrictatime: { clear: mountFlags.MS_STRICTATIME },
  nosymfollow: { set: mountFlags.MS_NOSYMFOLLOW },
  bind: { set: mountFlags.MS_BIND },
  rbind: { set: mountFlags.MS_BIND | MS_REC },
};
