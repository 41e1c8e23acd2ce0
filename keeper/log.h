/* The container's log: Docker's json-file format, byte for byte, rotated by the keeper. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Docker's limit: a longer line is kept in pieces, of which only the last ends with a newline. */
#define LINE_LIMIT 16384

/* Bytes of JSON that every record may bear. */
#define LOG_ATTRIBUTES_LIMIT 16384

/* A line, or a piece of one, without its newline. */
struct said {
  const char *stream;
  const char *bytes;
  size_t size;
  bool goes_on; /* the rest of the line is still to come */
};

struct log {
  int fd; /* -1: nothing is logged */
  const char *path;
  uint64_t size;
  uint64_t max_size; /* 0: never rotated */
  unsigned max_files;
  const char *attributes; /* a JSON object, or NULL */
  /* Hears of each rotation; NULL: what is rotated away stays as it is. */
  void (*rotated)(struct log *);
  /* Hears of each line; NULL: the file is all there is. */
  void (*heard)(const struct said *);
  unsigned packing; /* the number of the file that is being compressed; 0: none is */
};

/* What a compressed file's name ends with. */
#define LOG_PACKED ".gz"

/* The name of a file of the log, the number 0 being the one that is written; false when it is too long. */
bool log_name(char name[], const struct log *log, unsigned number, const char *ending);


/* The piece of a line that waits for its rest. */
struct line {
  size_t length;
  bool split; /* a piece of this line is in the log already, under this time */
  struct timespec time;
  char bytes[LINE_LIMIT];
};

int log_open(struct log *log, const char *path, uint64_t max_size, unsigned max_files);
/* Takes what a stream wrote; complete lines go to the log, the rest stays in `line`. */
void log_bytes(struct log *log, struct line *line, const char *stream, const char *bytes, size_t size);
/* The stream has ended: an unfinished line is written as it is. */
void log_end(struct log *log, struct line *line, const char *stream);
