/* Reads lists of trees from standard input (each a length of four bytes and its bytes) and says of each what the keeper's
 * decoder makes of it: an error number, and a sum over all that it read. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../keeper/list.h"

static uint64_t sum_of(const struct list_entry *entry) {
  uint64_t sum = entry->kind + entry->mode + entry->size + strlen(entry->name) + strlen(entry->target);
  const unsigned char *at = entry->attributes;
  for (uint32_t i = 0; i < entry->attribute_count; i++) {
    struct list_attribute attribute = list_attribute(&at);
    sum = sum * 31 + strlen(attribute.name);
    for (size_t j = 0; j < attribute.size; j++) sum = sum * 31 + ((const unsigned char *)attribute.value)[j];
  }
  for (uint32_t i = 0; i < entry->extent_count; i++) sum = sum * 31 + list_extent(entry, i).logical;
  return sum;
}

int main(int count, char **args) {
  int file = count == 2 ? open(args[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
  if (file < 0) return 2;
  uint32_t size;
  while (fread(&size, sizeof size, 1, stdin) == 1) {
    char *bytes = malloc(size + 1U);
    if (bytes == NULL || fread(bytes, 1, size, stdin) != size) return 2;
    if (pwrite(file, bytes, size, 0) != (ssize_t)size || ftruncate(file, size) != 0) return 2;
    free(bytes);
    struct list list;
    struct list_entry entry;
    uint64_t sum = 0;
    int error = list_open(&list, args[1]);
    while (error == 0 && list_next(&list, &entry, &error)) sum = sum * 31 + sum_of(&entry);
    printf("%d %ju\n", error, (uintmax_t)sum);
  }
  return 0;
}
