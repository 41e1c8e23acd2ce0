/* Trees of files that a container wrote: walked by descriptor, no link followed, names taken as bytes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

int remove_at(int directory, const char *name) { return remove_entry(directory, name, directory, 0); }

int step_remove_tree(struct keeper *k, const struct argument *a) {
  (void)k;
  int top = open(a[REMOVE_TREE_PATH].bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (top < 0) return errno;
  int walked = fcntl(top, F_DUPFD_CLOEXEC, 3);
  int error = walked < 0 ? errno : empty_directory(walked, top, 0);
  close(top);
  return error != 0 ? error : rmdir(a[REMOVE_TREE_PATH].bytes) != 0 ? errno : 0;
}

/* Deeper is not measured: every level costs a descriptor. */
#define MEASURED_DEPTH 512
/* What is said at once. */
#define LINKED_COUNT 2048

struct measure {
  struct keeper *k;
  uint32_t index;
  ino_t left_out;
  /* What the disk has given away counts, not how long files say that they are. */
  bool of_disk;
  uint64_t sum;
  size_t count;
  struct {
    uint64_t inode, size;
  } linked[LINKED_COUNT];
};

static void say_linked(struct measure *m) {
  if (m->count > 0) say_bytes(m->k, m->index, m->linked, m->count * sizeof *m->linked);
  m->count = 0;
}

/* stat(2) counts blocks of 512 bytes, whatever the file system's are. */
static uint64_t size_of(const struct measure *m, const struct stat *status) {
  return m->of_disk ? (uint64_t)status->st_blocks * 512 : (uint64_t)status->st_size;
}

static void measure_file(struct measure *m, const struct stat *status) {
  if (S_ISLNK(status->st_mode) && status->st_ino == m->left_out) return;
  if (status->st_nlink <= 1) {
    m->sum += size_of(m, status);
    return;
  }
  if (m->count == LINKED_COUNT) say_linked(m);
  m->linked[m->count].inode = status->st_ino;
  m->linked[m->count++].size = size_of(m, status);
}

/* Takes the descriptor. Who writes meanwhile may be counted or not: what is gone before it is looked at is not. */
static void measure_directory(struct measure *m, int directory, int depth) {
  struct stat own;
  if (m->of_disk && fstat(directory, &own) == 0) m->sum += size_of(m, &own);
  DIR *entries = fdopendir(directory);
  if (entries == NULL) {
    close(directory);
    return;
  }
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    struct stat status;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISDIR(status.st_mode)) {
      measure_file(m, &status);
      continue;
    }
    int inner = depth < MEASURED_DEPTH ? open_inner(dirfd(entries), entry->d_name) : -1;
    if (inner >= 0) measure_directory(m, inner, depth + 1);
  }
  closedir(entries);
}

/* 0, which no file has, where there is none. */
static ino_t inode_of(int directory, const char *path) {
  struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV};
  struct stat status;
  int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
  if (fd < 0) return 0;
  ino_t inode = fstat(fd, &status) == 0 ? status.st_ino : 0;
  close(fd);
  return inode;
}

int step_measure_tree(struct keeper *k, const struct argument *a) {
  static struct measure m;
  int top = open(a[MEASURE_TREE_PATH].bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (top < 0) return errno;
  m = (struct measure){.k = k, .index = (uint32_t)a[MEASURE_TREE_INDEX].number};
  m.left_out = inode_of(top, a[MEASURE_TREE_WITHOUT].bytes);
  m.of_disk = a[MEASURE_TREE_OF_DISK].number != 0;
  measure_directory(&m, top, 0);
  say_linked(&m);
  say_bytes(k, m.index, &(uint64_t[2]){0, m.sum}, 16);
  return 0;
}
