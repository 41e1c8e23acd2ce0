/* Steps beneath the container's root. The kernel resolves every path there: links stay inside, magic links are refused
 * (CVE-2019-16884, CVE-2021-30465, CVE-2024-45310), and what was found is used by descriptor, never by name again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "keeper.h"

#define READ_CHUNK 32768

static int open_beneath(int root, const char *path, uint64_t flags) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  int fd;
  /* EAGAIN: something was renamed or mounted meanwhile, and the kernel could not tell whether the path left the root. */
  do fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
  while (fd < 0 && errno == EAGAIN);
  return fd;
}

int open_in_root(const struct keeper *k, const char *path, uint64_t flags) {
  return open_beneath(k->root, path, flags);
}

/* The parent of the path's last component, and that component; the path without slashes at its end (a link followed by
 * a slash would be followed: Go's CVE-2026-39822). */
static int open_parent(const struct keeper *k, const char *path, char *last) {
  char parent[PATH_MAX];
  size_t size = strlen(path);
  while (size > 0 && path[size - 1] == '/') size--;
  size_t start = size;
  while (start > 0 && path[start - 1] != '/') start--;
  if (size == start || size - start > NAME_MAX || start + 2 > sizeof parent) {
    errno = size == start ? EEXIST : ENAMETOOLONG;
    return -1;
  }
  memcpy(last, path + start, size - start);
  last[size - start] = 0;
  parent[0] = '/';
  memcpy(parent + 1, path, start);
  parent[start + 1] = 0;
  return open_in_root(k, parent, O_PATH | O_DIRECTORY);
}

static int make_directory(const struct keeper *k, const char *path, mode_t mode, uid_t uid, gid_t gid) {
  char last[NAME_MAX + 1];
  int parent = open_parent(k, path, last);
  if (parent < 0) return errno;
  int error = error_of(mkdirat(parent, last, mode));
  if (error == 0 && (uid != 0 || gid != 0)) error = error_of(fchownat(parent, last, uid, gid, AT_SYMLINK_NOFOLLOW));
  close(parent);
  return error;
}

/* False with the reason in errno. */
static bool is_directory(const struct keeper *k, const char *path) {
  int found = open_in_root(k, path, O_PATH | O_DIRECTORY);
  if (found >= 0) close(found);
  return found >= 0;
}

/* Every missing directory on the way, from the top. A dangling link on the way is an error: making its target could
 * make directories that the image's author never had. */
static int make_directories(const struct keeper *k, const char *path, mode_t mode, uid_t uid, gid_t gid) {
  char prefix[PATH_MAX];
  size_t size = strlen(path);
  if (size >= sizeof prefix) return ENAMETOOLONG;
  for (size_t at = 1; at <= size; at++) {
    if (at < size && path[at] != '/') continue;
    memcpy(prefix, path, at);
    prefix[at] = 0;
    if (is_directory(k, prefix)) continue;
    if (errno != ENOENT) return errno;
    int error = make_directory(k, prefix, mode, uid, gid);
    /* Another container, which shares the volume, may have made it meanwhile. */
    if (error == EEXIST && is_directory(k, prefix)) continue;
    if (error != 0) return error;
  }
  return 0;
}

static int make_file(const struct keeper *k, const char *path) {
  char last[NAME_MAX + 1], parent[PATH_MAX];
  size_t size = strlen(path);
  if (size >= sizeof parent) return ENAMETOOLONG;
  memcpy(parent, path, size + 1);
  char *slash = strrchr(parent, '/');
  if (slash != NULL && slash != parent) {
    *slash = 0;
    int error = make_directories(k, parent, 0755, 0, 0);
    if (error != 0) return error;
  }
  int directory = open_parent(k, path, last);
  if (directory < 0) return errno;
  int fd = openat(directory, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  int error = error_of(fd);
  close(directory);
  if (fd >= 0) close(fd);
  return error;
}

/* The place where something will be mounted, made if it is missing. */
static int open_target(const struct keeper *k, const char *path, bool directory) {
  uint64_t flags = O_PATH | (directory ? O_DIRECTORY : 0U);
  int fd = open_in_root(k, path, flags);
  if (fd >= 0 || errno != ENOENT) return fd;
  int error = directory ? make_directories(k, path, 0755, 0, 0) : make_file(k, path);
  /* Made meanwhile by another container that shares the volume; or a link that leads nowhere, which fails again. */
  if (error != 0 && error != EEXIST) {
    errno = error;
    return -1;
  }
  return open_in_root(k, path, flags);
}

static int attach(int tree, int target) {
  return error_of(
      syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

static int set_attributes(int tree, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive) {
  if (set == 0 && clear == 0 && propagation == 0) return 0;
  struct mount_attr attributes = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
  unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U);
  return error_of(syscall(SYS_mount_setattr, tree, "", flags, &attributes, sizeof attributes));
}

/* One option of a new file system: `name=value` or `name`. */
static int configure(int context, char *option) {
  char *value = strchr(option, '=');
  if (value == NULL) return error_of(syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, option, NULL, 0));
  *value = 0;
  return error_of(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, option, value + 1, 0));
}

static int new_file_system(const char *type, const char *source, const char *data, uint64_t attributes, int *tree) {
  char options[4096];
  if (strlen(data) >= sizeof options) return ENAMETOOLONG;
  strcpy(options, data);
  int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  if (context < 0) return errno;
  int error = 0;
  if (source[0] != 0) error = error_of(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", source, 0));
  char *rest = options;
  for (char *option = strsep(&rest, ","); error == 0 && option != NULL; option = strsep(&rest, ","))
    if (option[0] != 0) error = configure(context, option);
  if (error == 0) error = error_of(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  if (error == 0) {
    *tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
    error = error_of(*tree);
  }
  close(context);
  return error;
}

int step_open_root(struct keeper *k, const struct argument *a) {
  k->root = open(a[OPEN_ROOT_PATH].bytes, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return error_of(k->root);
}

int step_root_mount(struct keeper *k, const struct argument *a) {
  int target = open_target(k, a[ROOT_MOUNT_TARGET].bytes, true);
  if (target < 0) return errno;
  int tree = -1;
  int error = new_file_system(a[ROOT_MOUNT_TYPE].bytes, a[ROOT_MOUNT_SOURCE].bytes, a[ROOT_MOUNT_DATA].bytes,
                              a[ROOT_MOUNT_FLAGS].number, &tree);
  if (error == 0) {
    error = attach(tree, target);
    close(tree);
  }
  close(target);
  return error;
}

int step_root_attach(struct keeper *k, const struct argument *a) {
  int tree = k->slots[a[ROOT_ATTACH_SLOT].number];
  struct stat status;
  if (fstat(tree, &status) != 0) return errno;
  uint64_t attributes = a[ROOT_ATTACH_ATTRIBUTES].number;
  /* Of the ways to keep access times one holds: the kernel wants the others cleared by name. */
  uint64_t clear = (attributes & MOUNT_ATTR__ATIME) != 0 ? MOUNT_ATTR__ATIME : 0;
  int error = set_attributes(tree, attributes, clear, 0, a[ROOT_ATTACH_RECURSIVE].number != 0);
  if (error == 0)
    error = set_attributes(tree, 0, 0, a[ROOT_ATTACH_PROPAGATION].number,
                           a[ROOT_ATTACH_PROPAGATION_RECURSIVE].number != 0);
  if (error != 0) return error;
  int target = open_target(k, a[ROOT_ATTACH_TARGET].bytes, S_ISDIR(status.st_mode));
  if (target < 0) return errno;
  error = attach(tree, target);
  close(target);
  return error;
}

int step_root_make_directory(struct keeper *k, const struct argument *a) {
  return make_directories(k, a[ROOT_MAKE_DIRECTORY_PATH].bytes, (mode_t)a[ROOT_MAKE_DIRECTORY_MODE].number,
                          (uid_t)a[ROOT_MAKE_DIRECTORY_UID].number, (gid_t)a[ROOT_MAKE_DIRECTORY_GID].number);
}

int step_root_make_node(struct keeper *k, const struct argument *a) {
  char last[NAME_MAX + 1];
  int parent = open_parent(k, a[ROOT_MAKE_NODE_PATH].bytes, last);
  if (parent < 0 && errno == ENOENT) {
    char path[PATH_MAX];
    if (a[ROOT_MAKE_NODE_PATH].length >= sizeof path) return ENAMETOOLONG;
    strcpy(path, a[ROOT_MAKE_NODE_PATH].bytes);
    char *slash = strrchr(path, '/');
    if (slash != NULL) *slash = 0;
    int error = make_directories(k, path, 0755, 0, 0);
    if (error != 0) return error;
    parent = open_parent(k, a[ROOT_MAKE_NODE_PATH].bytes, last);
  }
  if (parent < 0) return errno;
  dev_t device = makedev((unsigned)a[ROOT_MAKE_NODE_MAJOR].number, (unsigned)a[ROOT_MAKE_NODE_MINOR].number);
  mode_t mode = (mode_t)a[ROOT_MAKE_NODE_MODE].number;
  /* The umask is still 0, so no chmod is needed: it would follow a link that another container, which shares the volume,
   * has put in the node's place meanwhile, and outside of the root links lead to the host. */
  int error = error_of(mknodat(parent, last, mode, device));
  uid_t uid = (uid_t)a[ROOT_MAKE_NODE_UID].number;
  gid_t gid = (gid_t)a[ROOT_MAKE_NODE_GID].number;
  if (error == 0 && (uid != 0 || gid != 0)) error = error_of(fchownat(parent, last, uid, gid, AT_SYMLINK_NOFOLLOW));
  close(parent);
  return error;
}

int step_root_make_link(struct keeper *k, const struct argument *a) {
  char last[NAME_MAX + 1];
  int parent = open_parent(k, a[ROOT_MAKE_LINK_PATH].bytes, last);
  if (parent < 0) return errno;
  int error = error_of(symlinkat(a[ROOT_MAKE_LINK_TARGET].bytes, parent, last));
  close(parent);
  return error;
}

/* A directory is hidden by one empty read-only file system, the same for all of them. */
static int mask_directory(struct keeper *k, int target) {
  if (k->null_tree < 0) {
    int error = new_file_system("tmpfs", "tmpfs", "nr_blocks=1,nr_inodes=1,mode=755", MOUNT_ATTR_RDONLY, &k->null_tree);
    return error != 0 ? error : attach(k->null_tree, target);
  }
  int tree = (int)syscall(SYS_open_tree, k->null_tree, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0) return errno;
  int error = attach(tree, target);
  close(tree);
  return error;
}

/* CVE-2025-31133: the container's /dev/null may be anything; only the real device may hide a file. That there is none is
 * no reason to leave the file open: it must not look as if there were nothing to hide. */
static int mask_file(struct keeper *k, int target) {
  int null = open_in_root(k, "/dev/null", O_PATH | O_NOFOLLOW);
  if (null < 0) return ENXIO;
  struct stat status;
  int error = error_of(fstat(null, &status));
  if (error == 0 && (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))) error = ENXIO;
  int tree = -1;
  if (error == 0) {
    tree = (int)syscall(SYS_open_tree, null, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    error = error_of(tree);
  }
  close(null);
  if (error != 0) return error;
  error = attach(tree, target);
  close(tree);
  return error;
}

int step_root_mask(struct keeper *k, const struct argument *a) {
  int target = open_in_root(k, a[ROOT_MASK_PATH].bytes, O_PATH);
  if (target < 0) return errno;
  struct stat status;
  int error = error_of(fstat(target, &status));
  if (error == 0) error = S_ISDIR(status.st_mode) ? mask_directory(k, target) : mask_file(k, target);
  close(target);
  return error;
}

int step_root_read_only(struct keeper *k, const struct argument *a) {
  int target = open_in_root(k, a[ROOT_READ_ONLY_PATH].bytes, O_PATH);
  if (target < 0) return errno;
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  int tree = (int)syscall(SYS_open_tree, target, "", flags);
  int error = error_of(tree);
  if (error == 0) {
    error = set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 0, true);
    if (error == 0) error = attach(tree, target);
    close(tree);
  }
  close(target);
  return error;
}

int step_root_bind(struct keeper *k, const struct argument *a) {
  int target = open_target(k, a[ROOT_BIND_PATH].bytes, true);
  if (target < 0) return errno;
  int tree = (int)syscall(SYS_open_tree, target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  int error = error_of(tree);
  if (error == 0) {
    error = attach(tree, target);
    close(tree);
  }
  close(target);
  return error;
}

int step_root_remount(struct keeper *k, const struct argument *a) {
  int target = open_in_root(k, a[ROOT_REMOUNT_PATH].bytes, O_PATH);
  if (target < 0) return errno;
  int error = set_attributes(target, a[ROOT_REMOUNT_SET].number, a[ROOT_REMOUNT_CLEAR].number, 0, false);
  close(target);
  return error;
}

int step_pivot_root(struct keeper *k, const struct argument *a) {
  (void)a;
  if (fchdir(k->root) != 0) return errno;
  /* The old root is put on top of the new one and then taken off: no directory is needed for it. */
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return errno;
  close(k->root);
  k->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return error_of(k->root);
}

/* CVE-2025-52565: the terminal is taken from the container's own devpts, and its peer by descriptor. */
int step_terminal(struct keeper *k, const struct argument *a) {
  int master = open_in_root(k, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) return errno;
  struct stat status;
  int error = error_of(fstat(master, &status));
  if (error == 0 && (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2))) error = ENXIO;
  if (error == 0) error = error_of(ioctl(master, TIOCSPTLCK, &(int){0}));
  int slave = error == 0 ? ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
  if (error == 0) error = error_of(slave);
  if (error == 0 && a[TERMINAL_ROWS].number != 0) {
    struct winsize size = {.ws_row = (unsigned short)a[TERMINAL_ROWS].number,
                           .ws_col = (unsigned short)a[TERMINAL_COLUMNS].number};
    error = error_of(ioctl(master, TIOCSWINSZ, &size));
  }
  if (error == 0 && a[TERMINAL_CONSOLE].number != 0) {
    int target = open_target(k, "/dev/console", false);
    int tree = (int)syscall(SYS_open_tree, slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    error = target < 0 || tree < 0 ? errno : attach(tree, target);
    close(target);
    close(tree);
  }
  if (error == 0) error = error_of(ioctl(slave, TIOCSCTTY, 0));
  for (int stream = 0; error == 0 && stream < STREAM_COUNT; stream++) error = error_of(dup2(slave, stream));
  if (error == 0) error = sync_send(k->sync, (struct sync_message){.kind = SYNC_TERMINAL}, NULL, 0, master);
  if (slave > STREAM_ERR) close(slave);
  close(master);
  return error;
}

/* Beneath the proc of the host, as the keeper found it: nothing in the image can stand in for that. A proc of our own
 * would do too, but its end costs the kernel a grace period, milliseconds on a virtual machine. */
int open_in_proc(const struct keeper *k, const char *path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
  return (int)syscall(SYS_openat2, k->proc, path, &how, sizeof how);
}

/* CVE-2025-52881: never through the container's own /proc. What /proc/sys shows is of the namespaces of whoever opens
 * it, whichever proc it is. */
int step_sysctl(struct keeper *k, const struct argument *a) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "sys/%s", a[SYSCTL_NAME].bytes);
  if (length < 0 || (size_t)length >= sizeof path) return ENAMETOOLONG;
  for (char *at = path; *at != 0; at++)
    if (*at == '.') *at = '/';
  int fd = open_in_proc(k, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  if (fd < 0) return errno;
  int error = write_once(fd, a[SYSCTL_VALUE].bytes, a[SYSCTL_VALUE].length);
  close(fd);
  return error;
}

/* A FIFO would block, and opening a device can do things: what the path leads to is looked at before it is opened, and
 * then opened itself. */
static int open_regular(const struct keeper *k, const char *path, size_t limit, int *fd) {
  int found = open_in_root(k, path, O_PATH);
  if (found < 0) return errno;
  struct stat status;
  int error = error_of(fstat(found, &status));
  if (error == 0 && !S_ISREG(status.st_mode)) error = EINVAL;
  if (error == 0 && (size_t)status.st_size > limit) error = EFBIG;
  if (error == 0) {
    char self[32];
    snprintf(self, sizeof self, "self/fd/%d", found);
    *fd = open_in_proc(k, self, O_RDONLY, 0);
    error = error_of(*fd);
  }
  close(found);
  return error;
}

int step_read_file(struct keeper *k, const struct argument *a) {
  static char bytes[READ_CHUNK];
  uint32_t index = (uint32_t)a[READ_FILE_INDEX].number;
  size_t left = a[READ_FILE_LIMIT].number;
  int fd = -1;
  int error = open_regular(k, a[READ_FILE_PATH].bytes, left, &fd);
  if (error != 0) return error;
  for (;;) {
    ssize_t size = read(fd, bytes, sizeof bytes);
    error = error_of(size);
    if (size <= 0) break;
    /* It has grown, or its size is not told. */
    if ((size_t)size > left) error = EFBIG;
    else error = sync_send(k->sync, (struct sync_message){.kind = SYNC_BYTES, .index = index}, bytes, (size_t)size, -1);
    if (error != 0) break;
    left -= (size_t)size;
  }
  close(fd);
  return error;
}
