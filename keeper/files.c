/* Trees of files that a container wrote: walked by descriptor, no link followed, names taken as bytes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper.h"

/* A tree can be deeper than there are descriptors: what lies deeper than this is moved to the top and emptied there. */
#define DEPTH_LIMIT 128

static unsigned moved;

static int empty_directory(int directory, int top, int depth);

/* Never into what is mounted in the tree: that is somebody else's. */
static int open_inner(int directory, const char *name) {
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                         .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
  return (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
}

/* Under a name that is free: the tree may have such names of its own. */
static int move_to_top(int directory, const char *name, int top) {
  for (;;) {
    char place[32];
    snprintf(place, sizeof place, ".pier-deep-%u", moved++);
    if (renameat2(directory, name, top, place, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EEXIST) return errno;
  }
}

static int remove_entry(int directory, const char *name, int top, int depth) {
  if (unlinkat(directory, name, 0) == 0) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  int inner = open_inner(directory, name);
  if (inner < 0) return errno == ENOTDIR ? EPERM : errno;
  if (depth == DEPTH_LIMIT) {
    close(inner);
    return move_to_top(directory, name, top);
  }
  int error = empty_directory(inner, top, depth + 1);
  if (error == 0) error = unlinkat(directory, name, AT_REMOVEDIR) != 0 ? errno : 0;
  return error;
}

/* Takes the descriptor. Read again from the start after a pass that removed something: removal may skip entries. */
static int empty_directory(int directory, int top, int depth) {
  DIR *entries = fdopendir(directory);
  if (entries == NULL) {
    int error = errno;
    close(directory);
    return error;
  }
  int error = 0;
  for (bool found = true; found && error == 0;) {
    found = false;
    rewinddir(entries);
    for (struct dirent *entry; error == 0 && (entry = readdir(entries)) != NULL;) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      found = true;
      error = remove_entry(dirfd(entries), entry->d_name, top, depth);
    }
  }
  closedir(entries);
  return error;
}

int step_remove_tree(struct keeper *k, const struct argument *a) {
  (void)k;
  int top = open(a[REMOVE_TREE_PATH].bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (top < 0) return errno;
  int walked = fcntl(top, F_DUPFD_CLOEXEC, 3);
  int error = walked < 0 ? errno : empty_directory(walked, top, 0);
  close(top);
  return error != 0 ? error : rmdir(a[REMOVE_TREE_PATH].bytes) != 0 ? errno : 0;
}
