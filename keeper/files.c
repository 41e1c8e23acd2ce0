/* Trees of files that a container wrote: walked by descriptor, no link followed, names taken as bytes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keeper.h"

/* A tree can be deeper than there are descriptors: what lies deeper than this is moved to the top and emptied there. */
#define DEPTH_LIMIT 128

static unsigned moved;

static int empty_directory(int directory, int top, int depth);

static int remove_entry(int directory, const char *name, int top, int depth) {
  if (unlinkat(directory, name, 0) == 0) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  int inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inner < 0) return errno == ENOTDIR ? EPERM : errno;
  int error;
  if (depth == DEPTH_LIMIT) {
    char place[32];
    snprintf(place, sizeof place, ".pier-deep-%u", moved++);
    error = renameat(directory, name, top, place) != 0 ? errno : 0;
    close(inner);
    return error;
  }
  error = empty_directory(inner, top, depth + 1);
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
