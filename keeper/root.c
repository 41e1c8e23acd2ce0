/* Steps beneath the container's root. The kernel resolves every path there: links stay inside, magic links are refused
 * (CVE-2019-16884, CVE-2021-30465, CVE-2024-45310), and what was found is used by descriptor, never by name again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "keeper.h"

#define READ_CHUNK 32768
#define RACES_LIMIT 10000

static int open_beneath(int root, const char *path, uint64_t flags) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  int fd = -1;
  /* EAGAIN: something was renamed or mounted meanwhile, and the kernel could not tell whether the path left the root. Who
   * does nothing but rename gets no keeper to try for ever. */
  for (int tries = 0; tries < RACES_LIMIT; tries++) {
    fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return fd;
}

int open_in_root(const struct keeper *k, const char *path, uint64_t flags) {
  return open_beneath(k->root, path, flags);
}

/* The parent of the path's last component, and that component; the path without slashes at its end (a link followed by
 * a slash would be followed: Go's CVE-2026-39822). */
int open_parent(const struct keeper *k, const char *path, char *last) {
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
  /* Mostly the last one is all that is missing. */
  if (make_directory(k, path, mode, uid, gid) == 0) return 0;
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

int make_parents(const struct keeper *k, const char *path) {
  char parent[PATH_MAX];
  size_t size = strlen(path);
  while (size > 0 && path[size - 1] == '/') size--;
  while (size > 0 && path[size - 1] != '/') size--;
  if (size < 2) return 0;
  if (size > sizeof parent) return ENAMETOOLONG;
  memcpy(parent, path, size - 1);
  parent[size - 1] = 0;
  return make_directories(k, parent, 0755, 0, 0);
}

/* As open_parent, with the parent made if it is missing. */
static int open_made_parent(const struct keeper *k, const char *path, char *last) {
  int directory = open_parent(k, path, last);
  if (directory >= 0 || errno != ENOENT) return directory;
  int error = make_parents(k, path);
  if (error == 0) return open_parent(k, path, last);
  errno = error;
  return -1;
}

static int make_file(const struct keeper *k, const char *path) {
  char last[NAME_MAX + 1];
  int directory = open_made_parent(k, path, last);
  if (directory < 0) return errno;
  int fd = openat(directory, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  int error = error_of(fd);
  close(directory);
  if (fd >= 0) close(fd);
  return error;
}

int open_target(const struct keeper *k, const char *path, bool directory) {
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

int step_open_root(struct keeper *k, const struct argument *a) {
  k->root = open(a[OPEN_ROOT_PATH].bytes, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return error_of(k->root);
}

/* What a volume's users put into it leads nowhere else: neither a link nor a path with dots (Kubernetes' CVE-2017-1002101, CVE-2021-25741). */
int step_open_beneath(struct keeper *k, const struct argument *a) {
  int directory = open(a[OPEN_BENEATH_DIRECTORY].bytes, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return errno;
  int found = open_beneath(directory, a[OPEN_BENEATH_PATH].bytes, O_PATH);
  int error = error_of(found);
  close(directory);
  if (error != 0) return error;
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (a[OPEN_BENEATH_RECURSIVE].number != 0 ? AT_RECURSIVE : 0U);
  int tree = (int)syscall(SYS_open_tree, found, "", flags);
  error = error_of(tree);
  close(found);
  if (error == 0) k->slots[a[OPEN_BENEATH_SLOT].number] = tree;
  return error;
}

int step_root_make_directory(struct keeper *k, const struct argument *a) {
  return make_directories(k, a[ROOT_MAKE_DIRECTORY_PATH].bytes, (mode_t)a[ROOT_MAKE_DIRECTORY_MODE].number,
                          (uid_t)a[ROOT_MAKE_DIRECTORY_UID].number, (gid_t)a[ROOT_MAKE_DIRECTORY_GID].number);
}

int step_root_make_node(struct keeper *k, const struct argument *a) {
  char last[NAME_MAX + 1];
  int parent = open_made_parent(k, a[ROOT_MAKE_NODE_PATH].bytes, last);
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
int open_found(const struct keeper *k, int found) {
  struct stat status;
  char self[32];
  if (fstat(found, &status) != 0) return -1;
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return -1;
  }
  snprintf(self, sizeof self, "self/fd/%d", found);
  return open_in_proc(k, self, O_RDONLY, 0);
}

static int open_regular(const struct keeper *k, const char *path, size_t limit, int *fd) {
  struct stat status;
  int found = open_in_root(k, path, O_PATH);
  if (found < 0) return errno;
  *fd = open_found(k, found);
  int error = error_of(*fd);
  close(found);
  if (error != 0) return error;
  error = error_of(fstat(*fd, &status));
  if (error == 0 && (size_t)status.st_size > limit) error = EFBIG;
  if (error != 0) close(*fd);
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
