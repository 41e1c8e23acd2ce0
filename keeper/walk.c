/* Tells a tree of files that nobody writes any more: names in order, what each file is, and its content
 * (docs/formats/tree-stream.md). Walked by descriptor; no link is followed, and nothing that is mounted in it is entered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "keeper.h"

/* Every level costs a descriptor. */
#define DEPTH_LIMIT 900
#define PIECE 65536U
/* The kernel's own limits (xattr(7)). */
#define ATTRIBUTE_NAMES 65536
#define ATTRIBUTE_VALUE 65536
#define TARGET_SIZE 4096

enum { WALK_ENTER = 1, WALK_LEAVE, WALK_FILE, WALK_SYMLINK, WALK_CHARACTER, WALK_BLOCK, WALK_FIFO, WALK_LINK };

struct record {
  uint32_t kind, mode, uid, gid;
  int64_t seconds;
  uint64_t size, inode;
  uint32_t nanoseconds, major, minor, name_length, target_length, attributes_length;
};

static struct {
  struct keeper *k;
  uint32_t index;
  size_t held;
  char piece[PIECE];
  /* The inodes with several names that were told already: open addressing, 0 is free. */
  uint64_t *inodes;
  size_t inode_count, inode_size;
} walk;

static void flush(void) {
  if (walk.held > 0) say_bytes(walk.k, walk.index, walk.piece, walk.held);
  walk.held = 0;
}

static void tell(const void *bytes, size_t size) {
  const char *at = bytes;
  while (size > 0) {
    size_t part = size < PIECE - walk.held ? size : PIECE - walk.held;
    memcpy(walk.piece + walk.held, at, part);
    walk.held += part;
    at += part;
    size -= part;
    if (walk.held == PIECE) flush();
  }
}

static size_t place_of(const uint64_t *table, size_t size, uint64_t inode) {
  size_t at = (size_t)(inode * 0x9e3779b97f4a7c15U) & (size - 1);
  while (table[at] != 0 && table[at] != inode) at = (at + 1) & (size - 1);
  return at;
}

static int grow(void) {
  size_t size = walk.inode_size == 0 ? 1024 : walk.inode_size * 2;
  uint64_t *table = calloc(size, sizeof *table);
  if (table == NULL) return ENOMEM;
  for (size_t i = 0; i < walk.inode_size; i++) {
    if (walk.inodes[i] != 0) table[place_of(table, size, walk.inodes[i])] = walk.inodes[i];
  }
  free(walk.inodes);
  walk.inodes = table;
  walk.inode_size = size;
  return 0;
}

/* Whether the inode was told before; from now on it has been. */
static int remember(uint64_t inode, bool *known) {
  if (walk.inode_count * 2 >= walk.inode_size) {
    int error = grow();
    if (error != 0) return error;
  }
  size_t at = place_of(walk.inodes, walk.inode_size, inode);
  *known = walk.inodes[at] != 0;
  if (!*known) walk.inode_count++;
  walk.inodes[at] = inode;
  return 0;
}

struct buffer {
  char *bytes;
  size_t size, room;
};

static int append(struct buffer *buffer, const void *bytes, size_t size) {
  if (buffer->size + size > buffer->room) {
    size_t room = (buffer->size + size) * 2;
    char *grown = realloc(buffer->bytes, room);
    if (grown == NULL) return ENOMEM;
    buffer->bytes = grown;
    buffer->room = room;
  }
  if (size > 0) memcpy(buffer->bytes + buffer->size, bytes, size);
  buffer->size += size;
  return 0;
}

/* Links have no other way than a path; this one ends at the name itself. */
static int read_attributes(const char *path, struct buffer *buffer) {
  static char names[ATTRIBUTE_NAMES], value[ATTRIBUTE_VALUE];
  ssize_t size = llistxattr(path, names, sizeof names);
  if (size < 0) return errno == ENOTSUP ? 0 : errno;
  for (const char *name = names; name < names + size; name += strlen(name) + 1) {
    ssize_t length = lgetxattr(path, name, value, sizeof value);
    if (length < 0) return errno;
    uint32_t sizes[2] = {(uint32_t)strlen(name), (uint32_t)length};
    int error = append(buffer, sizes, sizeof sizes);
    if (error == 0) error = append(buffer, name, sizes[0]);
    if (error == 0) error = append(buffer, value, (size_t)length);
    if (error != 0) return error;
  }
  return 0;
}

static int tell_content(int directory, const char *name, uint64_t size) {
  static char bytes[PIECE];
  int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return errno;
  int error = 0;
  while (size > 0 && error == 0) {
    ssize_t count = read(file, bytes, size < sizeof bytes ? size : sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) error = count < 0 ? errno : EIO;
    else tell(bytes, (size_t)count);
    if (count > 0) size -= (uint64_t)count;
  }
  close(file);
  return error;
}

static uint32_t kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return WALK_ENTER;
    case S_IFREG: return WALK_FILE;
    case S_IFLNK: return WALK_SYMLINK;
    case S_IFCHR: return WALK_CHARACTER;
    case S_IFBLK: return WALK_BLOCK;
    case S_IFIFO: return WALK_FIFO;
    default: return 0; /* a socket: nothing is left of it when its process has ended */
  }
}

static int walk_directory(int directory, int depth);

static int enter(int directory, const char *name, int depth) {
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                         .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
  if (depth == DEPTH_LIMIT) return ENAMETOOLONG;
  int inner = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
  return inner < 0 ? errno : walk_directory(inner, depth + 1);
}

static int tell_entry(int directory, const char *name, int depth) {
  static struct buffer attributes;
  char path[300], target[TARGET_SIZE];
  struct stat status;
  bool known = false;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  struct record record = {.kind = kind_of(status.st_mode)};
  if (record.kind == 0) return 0;
  /* All whiteouts of an overlay may be one inode. */
  bool is_whiteout = record.kind == WALK_CHARACTER && status.st_rdev == 0;
  if (record.kind != WALK_ENTER && status.st_nlink > 1 && !is_whiteout) {
    int error = remember(status.st_ino, &known);
    if (error != 0) return error;
    record.inode = status.st_ino;
  }
  if (known) record.kind = WALK_LINK;
  snprintf(path, sizeof path, "/proc/self/fd/%d/%s", directory, name);
  attributes.size = 0;
  int error = known ? 0 : read_attributes(path, &attributes);
  ssize_t length = record.kind == WALK_SYMLINK ? readlinkat(directory, name, target, sizeof target) : 0;
  if (error != 0 || length < 0) return error != 0 ? error : errno;
  record.mode = status.st_mode & 07777;
  record.uid = status.st_uid;
  record.gid = status.st_gid;
  record.seconds = status.st_mtim.tv_sec;
  record.nanoseconds = (uint32_t)status.st_mtim.tv_nsec;
  record.size = record.kind == WALK_FILE ? (uint64_t)status.st_size : 0;
  record.major = major(status.st_rdev);
  record.minor = minor(status.st_rdev);
  record.name_length = (uint32_t)strlen(name);
  record.target_length = (uint32_t)length;
  record.attributes_length = (uint32_t)attributes.size;
  tell(&record, sizeof record);
  tell(name, record.name_length);
  tell(target, record.target_length);
  tell(attributes.bytes, attributes.size);
  if (record.kind == WALK_FILE) return tell_content(directory, name, record.size);
  if (record.kind != WALK_ENTER) return 0;
  error = enter(directory, name, depth);
  tell(&(struct record){.kind = WALK_LEAVE}, sizeof record);
  return error;
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* All names of the directory, one after the other, each with its NUL. */
static int read_names(DIR *entries, struct buffer *names, size_t *count) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(entries);
    if (entry == NULL) return errno;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    int error = append(names, entry->d_name, strlen(entry->d_name) + 1);
    if (error != 0) return error;
    ++*count;
  }
}

static int tell_sorted(int directory, const struct buffer *names, size_t count, int depth) {
  const char **sorted = calloc(count + 1, sizeof *sorted);
  if (sorted == NULL) return ENOMEM;
  const char *name = names->bytes;
  for (size_t i = 0; i < count; i++, name += strlen(name) + 1) sorted[i] = name;
  qsort(sorted, count, sizeof *sorted, compare);
  int error = 0;
  for (size_t i = 0; i < count && error == 0; i++) error = tell_entry(directory, sorted[i], depth);
  free(sorted);
  return error;
}

/* Takes the descriptor. */
static int walk_directory(int directory, int depth) {
  struct buffer names = {0};
  size_t count = 0;
  DIR *entries = fdopendir(directory);
  if (entries == NULL) {
    int error = errno;
    close(directory);
    return error;
  }
  int error = read_names(entries, &names, &count);
  if (error == 0) error = tell_sorted(dirfd(entries), &names, count, depth);
  free(names.bytes);
  closedir(entries);
  return error;
}

int step_read_tree(struct keeper *k, const struct argument *a) {
  int top = open(a[READ_TREE_PATH].bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (top < 0) return errno;
  walk.k = k;
  walk.index = (uint32_t)a[READ_TREE_INDEX].number;
  int error = walk_directory(top, 0);
  flush();
  return error;
}
