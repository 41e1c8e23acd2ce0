/* What is mounted beneath the container's root. Everything is attached by descriptor: between the look at a place and the
 * mount on it nothing can be put in between. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "keeper.h"

int attach_tree(int tree, int target) {
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

int step_root_mount(struct keeper *k, const struct argument *a) {
  int target = open_target(k, a[ROOT_MOUNT_TARGET].bytes, true);
  if (target < 0) return errno;
  int tree = -1;
  int error = new_file_system(a[ROOT_MOUNT_TYPE].bytes, a[ROOT_MOUNT_SOURCE].bytes, a[ROOT_MOUNT_DATA].bytes,
                              a[ROOT_MOUNT_FLAGS].number, &tree);
  if (error == 0) {
    error = attach_tree(tree, target);
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
  error = attach_tree(tree, target);
  close(target);
  return error;
}

/* A directory is hidden by one empty read-only file system, the same for all of them. */
static int mask_directory(struct keeper *k, int target) {
  if (k->null_tree < 0) {
    int error = new_file_system("tmpfs", "tmpfs", "nr_blocks=1,nr_inodes=1,mode=755", MOUNT_ATTR_RDONLY, &k->null_tree);
    return error != 0 ? error : attach_tree(k->null_tree, target);
  }
  int tree = (int)syscall(SYS_open_tree, k->null_tree, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0) return errno;
  int error = attach_tree(tree, target);
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
  error = attach_tree(tree, target);
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
    if (error == 0) error = attach_tree(tree, target);
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
    error = attach_tree(tree, target);
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
