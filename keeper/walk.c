/* Tells a tree of files that nobody writes any more: names in order, what each file is, and its content
 * (docs/formats/tree-stream.md). Walked by descriptor; no link is followed, and nothing that is mounted in it is entered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "keeper.h"
#include "walk.h"

/* Every level costs a descriptor. */
#define DEPTH_LIMIT 900
#define PIECE 65536U
#define AT_ONCE ((uint64_t)1 << 30)
/* The kernel's own limits (xattr(7)). */
#define ATTRIBUTE_NAMES 65536
#define ATTRIBUTE_VALUE 65536
#define TARGET_SIZE 4096

#define OUTPUT 1

static struct {
  struct keeper *k;
  uint32_t index;
  bool is_live;  /* somebody may change the tree meanwhile: what is gone is left out, what became shorter is filled */
  bool is_piped; /* told on standard output */
  bool is_bare;  /* told without contents */
  bool crosses;  /* into what is mounted in the tree */
  int error;     /* nobody listens any more */
  size_t held;
  char piece[PIECE];
  /* The inodes with several names that were told already: open addressing, 0 is free. */
  uint64_t *inodes;
  size_t inode_count, inode_size;
} walk;

static void flush(void) {
  if (walk.held > 0 && walk.is_piped && walk.error == 0) walk.error = write_all(OUTPUT, walk.piece, walk.held);
  if (walk.held > 0 && !walk.is_piped) say_bytes(walk.k, walk.index, walk.piece, walk.held);
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

/* Links have no other way than a path; this one is the name itself, seen from its directory: no /proc is needed, and in a
 * container none could be trusted. */
static int read_attributes(int directory, const char *entry, struct buffer *buffer) {
  static char names[ATTRIBUTE_NAMES], value[ATTRIBUTE_VALUE];
  if (fchdir(directory) != 0) return errno;
  ssize_t size = llistxattr(entry, names, sizeof names);
  if (size < 0) return errno == ENOTSUP ? 0 : errno;
  for (const char *name = names; name < names + size; name += strlen(name) + 1) {
    ssize_t length = lgetxattr(entry, name, value, sizeof value);
    if (length < 0 && errno == ENODATA && walk.is_live) continue;
    if (length < 0) return errno;
    uint32_t sizes[2] = {(uint32_t)strlen(name), (uint32_t)length};
    int error = append(buffer, sizes, sizeof sizes);
    if (error == 0) error = append(buffer, name, sizes[0]);
    if (error == 0) error = append(buffer, value, (size_t)length);
    if (error != 0) return error;
  }
  return 0;
}

/* In a live tree something else may stand there by now: opening a device can do things, and a fifo waits. */
static int open_file(int directory, const char *name) {
  if (walk.is_bare) return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (!walk.is_live) return openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  int found = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (found < 0) return -1;
  int file = open_found(walk.k, found);
  int error = errno;
  close(found);
  errno = error;
  return file;
}

static void fill(uint64_t size) {
  static const char zeroes[4096];
  for (; size > 0; size -= size < sizeof zeroes ? size : sizeof zeroes) tell(zeroes, size < sizeof zeroes ? size : sizeof zeroes);
}

/* Past our own memory: the kernel passes pages on. Answers how many bytes were left when the file ended. */
static uint64_t pass_content(int file, uint64_t size) {
  flush();
  while (size > 0 && walk.error == 0) {
    ssize_t count = sendfile(OUTPUT, file, NULL, size < AT_ONCE ? size : AT_ONCE);
    if (count < 0 && errno == EINTR) continue;
    /* EINVAL: a file system that cannot: what is left is read. */
    if (count < 0 && errno != EINVAL) walk.error = errno;
    if (count <= 0) break;
    size -= (uint64_t)count;
  }
  return size;
}

/* Takes the descriptor. */
static int tell_content(int file, uint64_t size) {
  static char bytes[4 * PIECE];
  int error = 0;
  if (walk.is_piped) {
    size = pass_content(file, size);
    error = walk.error;
  }
  while (size > 0 && error == 0) {
    ssize_t count = read(file, bytes, size < sizeof bytes ? size : sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0 && walk.is_live) break;
    if (count <= 0) error = count < 0 ? errno : EIO;
    else tell(bytes, (size_t)count);
    if (count > 0) size -= (uint64_t)count;
    if (walk.error != 0) error = walk.error;
  }
  if (error == 0) fill(size);
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
                         .resolve = RESOLVE_NO_SYMLINKS | (walk.crosses ? 0U : RESOLVE_NO_XDEV)};
  if (depth == DEPTH_LIMIT) return ENAMETOOLONG;
  int inner = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
  return inner < 0 ? errno : walk_directory(inner, depth + 1);
}

static void tell_record(struct walk_record record, const struct stat *status, const char *name, const char *target,
                        const struct buffer *attributes) {
  record.mode = status->st_mode & 07777;
  record.uid = status->st_uid;
  record.gid = status->st_gid;
  record.seconds = status->st_mtim.tv_sec;
  record.nanoseconds = (uint32_t)status->st_mtim.tv_nsec;
  record.size = record.kind == WALK_FILE ? (uint64_t)status->st_size : 0;
  record.major = major(status->st_rdev);
  record.minor = minor(status->st_rdev);
  record.name_length = (uint32_t)strlen(name);
  record.attributes_length = (uint32_t)attributes->size;
  tell(&record, sizeof record);
  tell(name, record.name_length);
  tell(target, record.target_length);
  tell(attributes->bytes, attributes->size);
}

/* Whether the entry is another name of what was told; fills in what tells names of one file apart from others. */
static int find_known(struct walk_record *record, const struct stat *status) {
  bool known = false;
  /* All whiteouts of an overlay may be one inode. */
  bool is_whiteout = record->kind == WALK_CHARACTER && status->st_rdev == 0;
  if (record->kind == WALK_ENTER || status->st_nlink <= 1 || is_whiteout) return 0;
  /* Inodes of different file systems may have one number. */
  uint64_t inode = walk.crosses ? status->st_ino ^ ((uint64_t)status->st_dev << 40) : status->st_ino;
  int error = remember(inode, &known);
  record->inode = inode;
  if (known) record->kind = WALK_LINK;
  return error;
}

static int tell_found(int directory, const char *name, const struct stat *status, int file, int depth) {
  static struct buffer attributes;
  char target[TARGET_SIZE];
  struct walk_record record = {.kind = kind_of(status->st_mode)};
  attributes.size = 0;
  int error = find_known(&record, status);
  if (error == 0 && record.kind != WALK_LINK) error = read_attributes(directory, name, &attributes);
  ssize_t length = error == 0 && record.kind == WALK_SYMLINK ? readlinkat(directory, name, target, sizeof target) : 0;
  if (error == 0 && length < 0) error = errno;
  if (error == 0) {
    record.target_length = (uint32_t)length;
    tell_record(record, status, name, target, &attributes);
  }
  if (error == 0 && record.kind == WALK_FILE) return tell_content(file, (uint64_t)status->st_size);
  if (file >= 0) close(file);
  if (error != 0 || record.kind != WALK_ENTER) return error;
  error = enter(directory, name, depth);
  tell(&(struct walk_record){.kind = WALK_LEAVE}, sizeof record);
  return error;
}

static int tell_entry(int directory, const char *name, int depth) {
  struct stat status;
  if (walk.error != 0) return walk.error;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  int file = S_ISREG(status.st_mode) ? open_file(directory, name) : -1;
  if (S_ISREG(status.st_mode) && file < 0) return errno;
  if (file >= 0 && fstat(file, &status) != 0) {
    int error = errno;
    close(file);
    return error;
  }
  if (walk.is_bare) status.st_size = 0;
  return kind_of(status.st_mode) == 0 ? 0 : tell_found(directory, name, &status, file, depth);
}

/* The tree is somebody's who lives: what has gone since its name was read, or become something else, is not there. */
static bool is_gone(int error) {
  return walk.is_live && (error == ENOENT || error == ENOTDIR || error == EINVAL || error == ELOOP || error == ESTALE);
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
  for (size_t i = 0; i < count && error == 0; i++) {
    error = tell_entry(directory, sorted[i], depth);
    if (is_gone(error)) error = 0;
  }
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
  return error != 0 ? error : error_of(chdir("/"));
}

/* Takes the descriptor. */
static int tell_top(int top) {
  struct buffer attributes = {0};
  struct stat status;
  int error = error_of(fstat(top, &status));
  if (error == 0) error = read_attributes(top, ".", &attributes);
  if (error != 0) {
    close(top);
    return error;
  }
  tell_record((struct walk_record){.kind = WALK_ENTER}, &status, "", "", &attributes);
  free(attributes.bytes);
  error = walk_directory(top, 0);
  tell(&(struct walk_record){.kind = WALK_LEAVE}, sizeof(struct walk_record));
  return error;
}

/* Without what is mounted in it: as the container's own file system has it. */
static int tell_root(const struct keeper *k) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  int tree = (int)syscall(SYS_open_tree, k->root, "", flags);
  int top = tree < 0 ? -1 : openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = error_of(top);
  if (tree >= 0) close(tree);
  return error != 0 ? error : tell_top(top);
}

static int tell_path(const struct keeper *k, const char *path, bool follows) {
  char last[NAME_MAX + 1];
  if (follows) {
    int top = open_in_root(k, path, O_RDONLY | O_DIRECTORY);
    return top < 0 ? errno : tell_top(top);
  }
  int parent = open_parent(k, path, last);
  if (parent < 0) return errno;
  int error = tell_entry(parent, last, 0);
  close(parent);
  return error;
}

int step_tell_path(struct keeper *k, const struct argument *a) {
  walk.k = k;
  walk.is_live = walk.is_piped = true;
  walk.is_bare = a[TELL_PATH_CONTENTS].number == 0;
  walk.crosses = a[TELL_PATH_CROSSES].number != 0;
  int error = walk.crosses ? tell_path(k, a[TELL_PATH_PATH].bytes, a[TELL_PATH_FOLLOWS].number != 0) : tell_root(k);
  flush();
  return error != 0 ? error : walk.error;
}

/* What is there, where its link leads by the kernel's rules, and what the link itself says. */
int step_stat_path(struct keeper *k, const struct argument *a) {
  struct {
    struct walk_record record;
    char texts[2 * PATH_MAX];
  } told = {0};
  char last[NAME_MAX + 1], self[32];
  struct stat status;
  const char *path = a[STAT_PATH_PATH].bytes;
  bool follows = a[STAT_PATH_FOLLOWS].number != 0;
  int parent = follows ? open_in_root(k, path, O_PATH | O_DIRECTORY) : open_parent(k, path, last);
  if (parent < 0) return errno;
  int error = error_of(follows ? fstat(parent, &status) : fstatat(parent, last, &status, AT_SYMLINK_NOFOLLOW));
  ssize_t length = 0, place = 0;
  if (error == 0 && S_ISLNK(status.st_mode)) {
    length = readlinkat(parent, last, told.texts, PATH_MAX - 1);
    int found = open_in_root(k, path, O_PATH);
    snprintf(self, sizeof self, "self/fd/%d", found);
    if (found >= 0 && length >= 0) place = readlinkat(k->proc, self, told.texts + length, PATH_MAX - 1);
    if (found >= 0) close(found);
    if (length < 0 || place < 0) error = errno;
  }
  close(parent);
  if (error != 0) return error;
  /* Here the whole of the mode: the kind of the file as well. */
  told.record = (struct walk_record){.mode = status.st_mode, .uid = status.st_uid, .gid = status.st_gid,
                                     .seconds = status.st_mtim.tv_sec, .nanoseconds = (uint32_t)status.st_mtim.tv_nsec,
                                     .size = (uint64_t)status.st_size, .target_length = (uint32_t)length,
                                     .name_length = (uint32_t)place};
  struct sync_message message = {.kind = SYNC_BYTES, .index = (uint32_t)a[STAT_PATH_INDEX].number};
  return sync_send(k->sync, message, &told, sizeof told.record + (size_t)length + (size_t)place, -1);
}
