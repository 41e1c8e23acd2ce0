/* The list of a tree: what is to be written, name by name, directory by directory (docs/formats/tree-list.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is to be written; everything points into the list. */
struct list_entry {
  uint32_t kind, mode, uid, gid;
  int64_t seconds;
  uint32_t nanoseconds;
  uint64_t size;
  uint32_t major, minor;
  uint32_t link; /* of a file with several names: its number, from 1 on; else 0 */
  const char *name, *target;
  const unsigned char *attributes, *extents;
  uint32_t attribute_count, extent_count;
  uint32_t source; /* which of the files has the content */
};

struct list_attribute {
  const char *name;
  const void *value;
  size_t size;
};

/* Where a piece of a file's content lies in the source. */
struct list_extent {
  uint64_t logical, offset, length;
};

struct list {
  const unsigned char *at, *end;
};

/* Maps the list's file; 0 or an error number. */
int list_open(struct list *list, const char *path);
/* False at the end. An entry that is none is EBADMSG in *error; whatever is in one that is lies in the list. */
bool list_next(struct list *list, struct list_entry *entry, int *error);
/* The first attribute from *at on, which moves to the next. */
struct list_attribute list_attribute(const unsigned char **at);
struct list_extent list_extent(const struct list_entry *entry, uint32_t index);
