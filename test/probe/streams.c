// Much through the standard streams, so that what is lost or doubled on the way shows.
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Every eight bytes are their own ordinal, so no piece looks like another.
enum { chunk = 65536, words = chunk / 8 };

static void fill(uint64_t *buffer, uint64_t first) {
  for (uint64_t i = 0; i < words; i++) buffer[i] = first + i;
}

static int write_all(int fd, const void *data, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t written = write(fd, (const char *)data + done, size - done);
    if (written >= 0)
      done += (size_t)written;
    else if (errno != EINTR && errno != EAGAIN)
      return -1;
  }
  return 0;
}

int probe_bytes(int count, char **args) {
  static uint64_t buffer[words];
  uint64_t size = number(argument(count, args, 0, "1"));
  fflush(stdout);
  for (uint64_t done = 0; done < size; done += chunk) {
    fill(buffer, done / 8);
    uint64_t left = size - done;
    if (write_all(1, buffer, left < chunk ? (size_t)left : chunk)) return refused("write");
  }
  return 0;
}

int probe_verify(int count, char **args) {
  (void)count, (void)args;
  static uint64_t expected[words];
  static char buffer[chunk];
  uint64_t done = 0;
  for (ssize_t length; (length = read(0, buffer, sizeof buffer)) > 0; done += (uint64_t)length) {
    for (size_t at = 0; at < (size_t)length;) {
      uint64_t offset = (done + at) % chunk;
      if (offset == 0 || at == 0) fill(expected, (done + at - offset) / 8);
      size_t size = (size_t)length - at < chunk - offset ? (size_t)length - at : (size_t)(chunk - offset);
      if (memcmp(buffer + at, (const char *)expected + offset, size)) {
        printf("verify: wrong after %ju\n", (uintmax_t)(done + at));
        return 1;
      }
      at += size;
    }
  }
  printf("verify: %ju\n", (uintmax_t)done);
  return 0;
}

int probe_lines(int count, char **args) {
  uint64_t lines = number(argument(count, args, 0, "1"));
  const char *where = argument(count, args, 1, "stdout");
  static char memory[chunk];
  int both = !strcmp(where, "both");
  // One stream is written in large pieces; two keep their order only line by line.
  if (!both) setvbuf(stdout, memory, _IOFBF, sizeof memory);
  FILE *first = strcmp(where, "stderr") ? stdout : stderr;
  for (uint64_t i = 1; i <= lines; i++) {
    FILE *stream = both && i % 2 == 0 ? stderr : first;
    fprintf(stream, "line %ju\n", (uintmax_t)i);
    if (both) fflush(stream);
  }
  return 0;
}

int probe_echo(int count, char **args) {
  (void)count, (void)args;
  static char buffer[chunk];
  fflush(stdout);
  ssize_t length;
  while ((length = read(0, buffer, sizeof buffer)) > 0)
    if (write_all(1, buffer, (size_t)length)) return refused("write");
  return length < 0 ? refused("read") : 0;
}

int probe_hold(int count, char **args) {
  static char buffer[chunk];
  probe_sleep(count, args);
  uint64_t total = 0;
  for (ssize_t length; (length = read(0, buffer, sizeof buffer)) > 0;) total += (uint64_t)length;
  printf("hold: %ju\n", (uintmax_t)total);
  return 0;
}
