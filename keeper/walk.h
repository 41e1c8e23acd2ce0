/* Trees as a stream: a record for every entry, and behind it what it is about (docs/formats/tree-stream.md). */
#pragma once

#include <stdint.h>

enum { WALK_ENTER = 1, WALK_LEAVE, WALK_FILE, WALK_SYMLINK, WALK_CHARACTER, WALK_BLOCK, WALK_FIFO, WALK_LINK };

struct walk_record {
  uint32_t kind, mode, uid, gid;
  int64_t seconds;
  uint64_t size, inode;
  uint32_t nanoseconds, major, minor, name_length, target_length, attributes_length;
};
