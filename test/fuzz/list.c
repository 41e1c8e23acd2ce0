/* The reader of lists of trees: whatever is in the file, it is refused, or every part of every entry can be read. */
#include <stdlib.h>

#include "../../keeper/list.c"
#include "fuzz.h"

static uint64_t sum;

/* Every byte is read: what does not belong to the list is seen by the sanitizers. */
static void read_parts(const struct list_entry *entry) {
  const unsigned char *at = entry->attributes;
  MUST(entry->kind == TREE_LEAVE || is_name(entry->name));
  sum += strlen(entry->name) + strlen(entry->target);
  for (uint32_t i = 0; i < entry->attribute_count; i++) {
    struct list_attribute attribute = list_attribute(&at);
    sum += strlen(attribute.name);
    for (size_t j = 0; j < attribute.size; j++) sum += ((const unsigned char *)attribute.value)[j];
  }
  MUST(at == entry->extents);
  for (uint32_t i = 0; i < entry->extent_count; i++) {
    struct list_extent extent = list_extent(entry, i);
    MUST(extent.logical <= entry->size && extent.length <= entry->size - extent.logical);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  unsigned char *file = malloc(size + (size == 0));
  MUST(file != NULL);
  memcpy(file, bytes, size);
  /* Most inputs get the right beginning and their own size: without them nothing behind is read. */
  if (size >= HEADER_SIZE && (bytes[0] & 7) != 7) {
    memcpy(file, TREE_MAGIC, 8);
    memcpy(file + 8, (const uint64_t[]){TREE_VERSION, size}, 16);
  }
  struct list list;
  struct list_entry entry;
  int error = read_header(&list, file, size);
  while (error == 0 && list_next(&list, &entry, &error)) read_parts(&entry);
  MUST(error == 0 || error == EBADMSG || error == EPROTONOSUPPORT);
  free(file);
  return 0;
}
