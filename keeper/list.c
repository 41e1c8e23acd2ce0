#include "list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steps.h"

#define HEADER_SIZE 24U
#define ENTRY_SIZE 72U
#define ATTRIBUTE_SIZE 8U
#define EXTENT_SIZE 24U
#define NAME_LIMIT 255U
#define SECOND 1000000000U

static uint32_t u32_at(const unsigned char *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static uint64_t u64_at(const unsigned char *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static size_t padded(size_t size) { return (size + 7) & ~(size_t)7; }

/* The next bytes, or NULL when there are not so many. */
static const unsigned char *take(struct list *list, size_t size) {
  if (size > (size_t)(list->end - list->at)) return NULL;
  const unsigned char *taken = list->at;
  list->at += size;
  return taken;
}

/* Ends with a NUL and has none in it. */
static const char *take_text(struct list *list, size_t length) {
  const char *text = (const char *)take(list, padded(length + 1));
  return text != NULL && strnlen(text, length + 1) == length ? text : NULL;
}

static bool is_name(const char *name) {
  size_t length = strlen(name);
  return length > 0 && length <= NAME_LIMIT && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

static bool skip_attribute(struct list *list) {
  const unsigned char *sizes = take(list, ATTRIBUTE_SIZE);
  return sizes != NULL && take_text(list, u32_at(sizes)) != NULL && take(list, padded(u32_at(sizes + 4))) != NULL;
}

struct list_attribute list_attribute(const unsigned char **at) {
  size_t length = u32_at(*at), size = u32_at(*at + 4);
  const char *name = (const char *)*at + ATTRIBUTE_SIZE;
  const unsigned char *value = *at + ATTRIBUTE_SIZE + padded(length + 1);
  *at = value + padded(size);
  return (struct list_attribute){name, value, size};
}

struct list_extent list_extent(const struct list_entry *entry, uint32_t index) {
  const unsigned char *at = entry->extents + (size_t)index * EXTENT_SIZE;
  return (struct list_extent){u64_at(at), u64_at(at + 8), u64_at(at + 16)};
}

/* Within the file, one behind the other. */
static bool are_extents(const struct list_entry *entry) {
  uint64_t end = 0;
  for (uint32_t i = 0; i < entry->extent_count; i++) {
    struct list_extent extent = list_extent(entry, i);
    if (extent.logical < end || extent.logical > entry->size || extent.length > entry->size - extent.logical) return false;
    if (extent.offset > INT64_MAX || extent.length > INT64_MAX - extent.offset) return false;
    end = extent.logical + extent.length;
  }
  return entry->size <= INT64_MAX;
}

static bool read_entry(struct list *list, struct list_entry *entry) {
  const unsigned char *at = list->at;
  if ((size_t)(list->end - at) < ENTRY_SIZE) return false;
  size_t length = u32_at(at + 4);
  if (length < ENTRY_SIZE || length > (size_t)(list->end - at)) return false;
  *entry = (struct list_entry){
      .kind = u32_at(at),
      .mode = u32_at(at + 8) & 07777U,
      .uid = u32_at(at + 12),
      .gid = u32_at(at + 16),
      .nanoseconds = u32_at(at + 20),
      .seconds = (int64_t)u64_at(at + 24),
      .size = u64_at(at + 32),
      .major = u32_at(at + 40),
      .minor = u32_at(at + 44),
      .link = u32_at(at + 48),
      .attribute_count = u32_at(at + 60),
      .extent_count = u32_at(at + 64),
      .source = u32_at(at + 68),
  };
  struct list rest = {at + ENTRY_SIZE, at + length};
  list->at += length;
  entry->name = take_text(&rest, u32_at(at + 52));
  entry->target = entry->name == NULL ? NULL : take_text(&rest, u32_at(at + 56));
  entry->attributes = rest.at;
  if (entry->target == NULL) return false;
  for (uint32_t i = 0; i < entry->attribute_count; i++)
    if (!skip_attribute(&rest)) return false;
  entry->extents = take(&rest, (size_t)entry->extent_count * EXTENT_SIZE);
  if (entry->extents == NULL || rest.at != rest.end || entry->nanoseconds >= SECOND || !are_extents(entry)) return false;
  return entry->kind == TREE_LEAVE ? entry->name[0] == 0 : is_name(entry->name);
}

bool list_next(struct list *list, struct list_entry *entry, int *error) {
  if (list->at == list->end) return false;
  *error = read_entry(list, entry) ? 0 : EBADMSG;
  return *error == 0;
}

static int read_header(struct list *list, const unsigned char *at, size_t size) {
  if (size < HEADER_SIZE || memcmp(at, TREE_MAGIC, 8) != 0 || u32_at(at + 12) != 0 || u64_at(at + 16) != size)
    return EBADMSG;
  if (u32_at(at + 8) != TREE_VERSION) return EPROTONOSUPPORT;
  *list = (struct list){at + HEADER_SIZE, at + size};
  return 0;
}

int list_open(struct list *list, const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno;
  struct stat status;
  int error = fstat(fd, &status) != 0 ? errno : status.st_size < HEADER_SIZE ? EBADMSG : 0;
  size_t size = (size_t)status.st_size;
  void *bytes = error == 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  if (error == 0 && bytes == MAP_FAILED) error = errno;
  close(fd);
  return error != 0 ? error : read_header(list, bytes, size);
}
