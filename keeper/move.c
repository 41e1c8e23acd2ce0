/* Trees that were made aside and are put in their place, name by name: who has the place mounted already sees each of them
 * whole, and no name is ever followed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "keeper.h"

#define NAMES_SIZE 65536
#define VALUE_SIZE 65536

/* Read again from the start after a pass that moved something: moving may skip entries. */
static int move_entries(DIR *entries, int to) {
  for (bool found = true; found;) {
    found = false;
    rewinddir(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      found = true;
      if (renameat2(dirfd(entries), entry->d_name, to, entry->d_name, RENAME_NOREPLACE) != 0) return errno;
    }
  }
  return 0;
}

static int copy_extended(int from, int to) {
  static char names[NAMES_SIZE], value[VALUE_SIZE];
  ssize_t size = flistxattr(from, names, sizeof names);
  if (size < 0) return errno == ENOTSUP ? 0 : errno;
  for (const char *name = names; name < names + size; name += strlen(name) + 1) {
    ssize_t length = fgetxattr(from, name, value, sizeof value);
    if (length < 0 || fsetxattr(to, name, value, (size_t)length, 0) != 0) return errno;
  }
  return 0;
}

/* A new owner takes set-group-id bits away, and an access list changes the mode: hence this order. */
static int copy_attributes(int from, int to) {
  struct stat status;
  int error = error_of(fstat(from, &status));
  if (error == 0) error = error_of(fchown(to, status.st_uid, status.st_gid));
  if (error == 0) error = copy_extended(from, to);
  if (error == 0) error = error_of(fchmod(to, status.st_mode & 07777));
  return error != 0 ? error : error_of(futimens(to, (struct timespec[]){status.st_atim, status.st_mtim}));
}

int step_move_tree(struct keeper *k, const struct argument *a) {
  (void)k;
  int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int to = open(a[MOVE_TREE_TO].bytes, flags);
  int from = open(a[MOVE_TREE_FROM].bytes, flags);
  DIR *entries = from < 0 || to < 0 ? NULL : fdopendir(from);
  int error = entries == NULL ? errno : move_entries(entries, to);
  if (error == 0) error = copy_attributes(from, to);
  if (entries != NULL) closedir(entries);
  else if (from >= 0) close(from);
  if (to >= 0) close(to);
  return error != 0 ? error : error_of(rmdir(a[MOVE_TREE_FROM].bytes));
}
