/* Writes gzip (RFC 1952). */
#pragma once

#include <stddef.h>

/* The header's further field: two letters, and what it is of our own. */
struct gzip_note {
  char name[2];
  const void *bytes;
  size_t size; /* below 256 */
};

/* What the file has, compressed, to `to`; 0 or an error number. Whoever cuts the file meanwhile ends the process. */
int gzip_file(int from, int to, struct gzip_note note);
