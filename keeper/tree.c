/* Writes a tree of files: the names from a list, the contents from the file in which they lie. No path is ever resolved:
 * every name is one component, made anew in a directory that is held open, so that no list leads out of the tree. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "keeper.h"
#include "list.h"

#define LEVEL_LIMIT 4096U
#define AT_ONCE ((uint64_t)1 << 30)
#define NUMBER_SIZE 16

struct tree {
  int directory; /* the one that is being filled */
  int links;     /* where a file with several names has one more, until all of them are written */
  const char *sources; /* paths, one behind the other */
  uint64_t source_count;
  int source; /* the one that is open, or -1 */
  uint32_t source_number;
  uint32_t link_count;
  uint32_t depth;
  /* The directories above, by what tells one from another. */
  struct {
    dev_t device;
    ino_t inode;
  } above[LEVEL_LIMIT];
};

static struct tree tree;

static int move_to(int directory) {
  if (directory < 0) return errno;
  close(tree.directory);
  tree.directory = directory;
  return 0;
}

static int enter(const struct list_entry *entry) {
  struct stat status;
  if (tree.depth == LEVEL_LIMIT) return ENAMETOOLONG;
  if (fstat(tree.directory, &status) != 0 || mkdirat(tree.directory, entry->name, 0700) != 0) return errno;
  tree.above[tree.depth].device = status.st_dev;
  tree.above[tree.depth++].inode = status.st_ino;
  return move_to(openat(tree.directory, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

/* A tree can be deeper than there are descriptors, so the one above is opened again. */
static int leave(void) {
  struct stat status;
  tree.depth--;
  int error = move_to(openat(tree.directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (error != 0) return error;
  if (fstat(tree.directory, &status) != 0) return errno;
  bool is_same = status.st_dev == tree.above[tree.depth].device && status.st_ino == tree.above[tree.depth].inode;
  return is_same ? 0 : ESTALE;
}

static int copy_extent(int file, struct list_extent extent) {
  off_t offset = (off_t)extent.offset;
  if (lseek(file, (off_t)extent.logical, SEEK_SET) < 0) return errno;
  while (extent.length > 0) {
    ssize_t size = sendfile(file, tree.source, &offset, extent.length < AT_ONCE ? extent.length : AT_ONCE);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return size < 0 ? errno : EIO;
    extent.length -= (uint64_t)size;
  }
  return 0;
}

/* Of an image's layers one at a time: there may be more of them than descriptors to spare. */
static int open_source(uint32_t number) {
  if (number >= tree.source_count) return EBADMSG;
  if (tree.source >= 0 && tree.source_number == number) return 0;
  if (tree.source >= 0) close(tree.source);
  const char *path = tree.sources;
  for (uint32_t i = 0; i < number; i++) path += strlen(path) + 1;
  tree.source = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  tree.source_number = number;
  return error_of(tree.source);
}

static int write_content(int at, const char *name, const struct list_entry *entry) {
  int error = entry->extent_count > 0 ? open_source(entry->source) : 0;
  if (error != 0) return error;
  int file = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  for (uint32_t i = 0; i < entry->extent_count && error == 0; i++) error = copy_extent(file, list_extent(entry, i));
  if (error == 0) error = error_of(ftruncate(file, (off_t)entry->size));
  close(file);
  return error;
}

static int make(int at, const char *name, const struct list_entry *entry) {
  dev_t device = makedev(entry->major, entry->minor);
  switch (entry->kind) {
    case TREE_FILE: return write_content(at, name, entry);
    case TREE_SYMLINK: return error_of(symlinkat(entry->target, at, name));
    case TREE_CHARACTER: return error_of(mknodat(at, name, S_IFCHR, device));
    case TREE_BLOCK: return error_of(mknodat(at, name, S_IFBLK, device));
    case TREE_FIFO: return error_of(mkfifoat(at, name, 0));
    default: return EBADMSG;
  }
}

/* Links have no other way than a path; this one ends at the name itself. */
static int set_extended(int at, const char *name, const struct list_entry *entry) {
  char path[300];
  const unsigned char *next = entry->attributes;
  snprintf(path, sizeof path, "/proc/self/fd/%d/%s", at, name);
  for (uint32_t i = 0; i < entry->attribute_count; i++) {
    struct list_attribute attribute = list_attribute(&next);
    if (lsetxattr(path, attribute.name, attribute.value, attribute.size, 0) != 0) return errno;
  }
  return 0;
}

/* A new owner takes set-uid bits and capabilities away, and an access list changes the mode: hence this order. */
static int set_attributes(int at, const char *name, const struct list_entry *entry) {
  struct timespec time = {.tv_sec = (time_t)entry->seconds, .tv_nsec = (long)entry->nanoseconds};
  int error = error_of(fchownat(at, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW));
  if (error == 0) error = set_extended(at, name, entry);
  if (error == 0 && entry->kind != TREE_SYMLINK) error = error_of(fchmodat(at, name, entry->mode, 0));
  return error != 0 ? error : error_of(utimensat(at, name, (struct timespec[]){time, time}, AT_SYMLINK_NOFOLLOW));
}

static void link_name(char *name, uint32_t number) { snprintf(name, NUMBER_SIZE, "%u", number); }

static int write_new(int at, const char *name, const struct list_entry *entry) {
  int error = make(at, name, entry);
  return error != 0 ? error : set_attributes(at, name, entry);
}

/* Those with several names are numbered in the order in which they come. */
static int write_linked(const struct list_entry *entry) {
  char name[NUMBER_SIZE];
  bool is_new = entry->kind != TREE_LINK;
  if (entry->link == 0 || entry->link > tree.link_count + is_new || (is_new && entry->link <= tree.link_count)) return EBADMSG;
  link_name(name, entry->link);
  int error = is_new ? write_new(tree.links, name, entry) : 0;
  if (error != 0) return error;
  if (is_new) tree.link_count++;
  return error_of(linkat(tree.links, name, tree.directory, entry->name, 0));
}

/* The root was not entered, and is not left. */
static int write_entry(const struct list_entry *entry) {
  if (entry->kind == TREE_ENTER) return enter(entry);
  if (entry->kind == TREE_LINK || entry->link != 0) return write_linked(entry);
  if (entry->kind != TREE_LEAVE) return write_new(tree.directory, entry->name, entry);
  int error = set_attributes(tree.directory, ".", entry);
  return error != 0 || tree.depth == 0 ? error : leave();
}

static int remove_links(void) {
  int error = 0;
  char number[NUMBER_SIZE];
  for (uint32_t i = 1; i <= tree.link_count && error == 0; i++) {
    link_name(number, i);
    error = error_of(unlinkat(tree.links, number, 0));
  }
  return error;
}

static int write_tree(const char *path) {
  struct list list;
  struct list_entry entry;
  int error = list_open(&list, path);
  while (error == 0 && list_next(&list, &entry, &error)) error = write_entry(&entry);
  return error == 0 ? remove_links() : error;
}

int step_write_tree(struct keeper *k, const struct argument *a) {
  (void)k;
  int directory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  tree.directory = open(a[WRITE_TREE_PATH].bytes, directory);
  tree.links = open(a[WRITE_TREE_LINKS].bytes, directory);
  tree.source = -1;
  tree.sources = a[WRITE_TREE_SOURCES].bytes;
  tree.source_count = a[WRITE_TREE_SOURCES].number;
  int error = tree.directory < 0 || tree.links < 0 ? errno : write_tree(a[WRITE_TREE_LIST].bytes);
  close(tree.directory);
  close(tree.links);
  if (tree.source >= 0) close(tree.source);
  return error;
}

int step_sync_file_system(struct keeper *k, const struct argument *a) {
  (void)k;
  int fd = open(a[SYNC_FILE_SYSTEM_PATH].bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = error_of(syncfs(fd));
  close(fd);
  return error;
}
