/* Writes what the daemon sends into a container's tree (docs/formats/tree-stream.md): every path is resolved by the kernel
 * beneath the container's root, and what was made is worked on by descriptor, because the container may swap names
 * meanwhile (CVE-2018-15664). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "keeper.h"
#include "walk.h"

#ifndef INPUT
#define INPUT 0
#endif
#define PIECE 262144U
#define ATTRIBUTES_LIMIT (1U << 20)
#define AS_SENT UINT64_MAX

struct put {
  const struct keeper *k;
  struct walk_record record;
  char path[PATH_MAX], target[PATH_MAX];
  char attributes[ATTRIBUTES_LIMIT];
  bool replaces; /* directories and what is none stand in for each other */
  uint64_t uid, gid;
};

static struct put put;

/* The end of the stream is an error: only whoever expects a record may find it. */
static int take(void *bytes, size_t size, bool *over) {
  char *at = bytes;
  while (size > 0) {
    ssize_t count = read(INPUT, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0 && over != NULL && at == (char *)bytes) {
      *over = true;
      return 0;
    }
    if (count == 0) return ECANCELED;
    at += count;
    size -= (size_t)count;
  }
  return 0;
}

static int take_text(char *text, uint32_t length) {
  if (length >= PATH_MAX) return ENAMETOOLONG;
  int error = take(text, length, NULL);
  text[length] = 0;
  return error != 0 ? error : strlen(text) != length ? EBADMSG : 0;
}

static int take_record(bool *over) {
  struct walk_record *record = &put.record;
  int error = take(record, sizeof *record, over);
  if (error != 0 || *over) return error;
  if (record->attributes_length > sizeof put.attributes) return E2BIG;
  if (record->nanoseconds >= 1000000000U || record->size > INT64_MAX) return EBADMSG;
  record->mode &= 07777;
  error = take_text(put.path, record->name_length);
  if (error == 0) error = take_text(put.target, record->target_length);
  return error != 0 ? error : take(put.attributes, record->attributes_length, NULL);
}

/* The next attribute from *at on; false at the end, and for what is none. */
static bool next_attribute(size_t *at, char *name, const void **value, size_t *size) {
  uint32_t sizes[2];
  size_t left = put.record.attributes_length - *at;
  if (left < sizeof sizes) return false;
  memcpy(sizes, put.attributes + *at, sizeof sizes);
  left -= sizeof sizes;
  if (sizes[0] == 0 || sizes[0] > XATTR_NAME_MAX || sizes[0] > left || sizes[1] > left - sizes[0]) return false;
  memcpy(name, put.attributes + *at + sizeof sizes, sizes[0]);
  name[sizes[0]] = 0;
  *value = put.attributes + *at + sizeof sizes + sizes[0];
  *size = sizes[1];
  *at += sizeof sizes + sizes[0] + sizes[1];
  return true;
}

/* Some file systems have none, or not of every kind: what was copied is there all the same, as with other engines. */
static bool is_unsupported(int error) { return error == ENOTSUP || error == EPERM; }

static int set_extended(int fd, int directory, const char *last) {
  char name[XATTR_NAME_MAX + 1];
  const void *value;
  size_t size;
  for (size_t at = 0; at < put.record.attributes_length;) {
    if (!next_attribute(&at, name, &value, &size)) return EBADMSG;
    if (fd < 0 && fchdir(directory) != 0) return errno;
    int error = error_of(fd < 0 ? lsetxattr(last, name, value, size, 0) : fsetxattr(fd, name, value, size, 0));
    if (error != 0 && !is_unsupported(error)) return error;
  }
  return 0;
}

static uid_t owner(void) { return put.uid == AS_SENT ? put.record.uid : (uid_t)put.uid; }
static gid_t group(void) { return put.gid == AS_SENT ? put.record.gid : (gid_t)put.gid; }

/* A new owner takes set-uid bits and capabilities away, and an access list changes the mode: hence this order. */
static int set_by_descriptor(int fd) {
  struct timespec time = {.tv_sec = (time_t)put.record.seconds, .tv_nsec = (long)put.record.nanoseconds};
  int error = error_of(fchown(fd, owner(), group()));
  if (error == 0) error = set_extended(fd, -1, NULL);
  if (error == 0) error = error_of(fchmod(fd, put.record.mode));
  return error != 0 ? error : error_of(futimens(fd, (struct timespec[]){time, time}));
}

/* What cannot be opened: links, devices, fifos. Nothing of this follows a link that stands in its place by now. */
static int set_by_name(int directory, const char *last) {
  struct timespec time = {.tv_sec = (time_t)put.record.seconds, .tv_nsec = (long)put.record.nanoseconds};
  int error = error_of(fchownat(directory, last, owner(), group(), AT_SYMLINK_NOFOLLOW));
  if (error == 0) error = set_extended(-1, directory, last);
  return error != 0 ? error : error_of(utimensat(directory, last, (struct timespec[]){time, time}, AT_SYMLINK_NOFOLLOW));
}

static int copy_content(int file) {
  static char bytes[PIECE];
  for (uint64_t left = put.record.size; left > 0;) {
    size_t part = left < sizeof bytes ? (size_t)left : sizeof bytes;
    int error = take(bytes, part, NULL);
    if (error == 0) error = write_all(file, bytes, part);
    if (error != 0) return error;
    left -= part;
  }
  return 0;
}

static int put_file(int directory, const char *last) {
  int file = openat(directory, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  int error = copy_content(file);
  if (error == 0) error = set_by_descriptor(file);
  close(file);
  return error;
}

static int put_directory(int directory, const char *last) {
  if (mkdirat(directory, last, 0700) != 0 && errno != EEXIST) return errno;
  int made = openat(directory, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (made < 0) return errno;
  int error = set_by_descriptor(made);
  close(made);
  return error;
}

static int put_node(int directory, const char *last, mode_t type) {
  dev_t device = type == S_IFIFO ? 0 : makedev(put.record.major, put.record.minor);
  int error = error_of(mknodat(directory, last, type | put.record.mode, device));
  return error != 0 ? error : set_by_name(directory, last);
}

static int put_link(int directory, const char *last) {
  char name[NAME_MAX + 1];
  int parent = open_parent(put.k, put.target, name);
  if (parent < 0) return errno;
  int error = error_of(linkat(parent, name, directory, last, 0));
  close(parent);
  return error;
}

static int put_symlink(int directory, const char *last) {
  int error = error_of(symlinkat(put.target, directory, last));
  return error != 0 ? error : set_by_name(directory, last);
}

/* What is there goes, unless both are directories: those are one afterwards. */
static int make_room(int directory, const char *last) {
  struct stat status;
  if (fstatat(directory, last, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : errno;
  bool was_directory = S_ISDIR(status.st_mode), is_directory = put.record.kind == WALK_ENTER;
  if (was_directory && is_directory) return 0;
  if (!put.replaces && was_directory) return EISDIR;
  if (!put.replaces && is_directory) return ENOTDIR;
  return remove_at(directory, last);
}

static int put_entry(int directory, const char *last) {
  int error = make_room(directory, last);
  if (error != 0) return error;
  switch (put.record.kind) {
    case WALK_ENTER: return put_directory(directory, last);
    case WALK_FILE: return put_file(directory, last);
    case WALK_SYMLINK: return put_symlink(directory, last);
    case WALK_CHARACTER: return put_node(directory, last, S_IFCHR);
    case WALK_BLOCK: return put_node(directory, last, S_IFBLK);
    case WALK_FIFO: return put_node(directory, last, S_IFIFO);
    case WALK_LINK: return put_link(directory, last);
    default: return EBADMSG;
  }
}

/* A directory that was filled has another time now: it gets its own back. */
static int put_back(void) {
  struct timespec time = {.tv_sec = (time_t)put.record.seconds, .tv_nsec = (long)put.record.nanoseconds};
  int fd = open_in_root(put.k, put.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (fd < 0) return 0; /* the container took it away meanwhile */
  int error = error_of(futimens(fd, (struct timespec[]){time, time}));
  close(fd);
  return error;
}

static int put_next(void) {
  char last[NAME_MAX + 1];
  if (put.record.kind == WALK_LEAVE) return put_back();
  int directory = open_parent(put.k, put.path, last);
  if (directory < 0 && errno == ENOENT) {
    int error = make_parents(put.k, put.path);
    if (error != 0) return error;
    directory = open_parent(put.k, put.path, last);
  }
  if (directory < 0) return errno;
  int error = put_entry(directory, last);
  close(directory);
  return error;
}

int step_put_tree(struct keeper *k, const struct argument *a) {
  put.k = k;
  put.replaces = a[PUT_TREE_REPLACES].number != 0;
  put.uid = a[PUT_TREE_UID].number;
  put.gid = a[PUT_TREE_GID].number;
  for (;;) {
    bool over = false;
    int error = take_record(&over);
    if (error != 0 || over) return error;
    error = put_next();
    if (error == 0) continue;
    /* Which one it was; the number is the step's. */
    struct sync_message message = {.kind = SYNC_BYTES, .index = (uint32_t)a[PUT_TREE_INDEX].number};
    (void)sync_send(k->sync, message, put.path, strlen(put.path), -1);
    return error;
  }
}
