#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A byte becomes at most six (\u0000), and a record has less than 128 bytes around its line. */
#define RECORD_LIMIT (LINE_LIMIT * 6 + LOG_ATTRIBUTES_LIMIT + 160)
/* What has once been written to stays in memory for the container's life: room for one long line beside many short ones. */
#define BUFFER_SIZE (RECORD_LIMIT + 32768)

static char buffer[BUFFER_SIZE];
static size_t buffered;

/* Without a descriptor afterwards when it fails; the next record tries again. */
static int open_file(struct log *log) {
  log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (log->fd < 0) return errno;
  struct stat status;
  log->size = fstat(log->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
  return 0;
}

int log_open(struct log *log, const char *path, uint64_t max_size, unsigned max_files) {
  log->path = path;
  log->max_size = max_size;
  log->max_files = max_files;
  return open_file(log);
}

bool log_name(char name[], const struct log *log, unsigned number, const char *ending) {
  int length = number == 0 ? snprintf(name, PATH_MAX, "%s%s", log->path, ending)
                           : snprintf(name, PATH_MAX, "%s.%u%s", log->path, number, ending);
  return length > 0 && length < PATH_MAX;
}

static void move_up(const struct log *log, unsigned number, const char *ending) {
  char from[PATH_MAX], to[PATH_MAX];
  if (log_name(from, log, number - 1, ending) && log_name(to, log, number, ending)) rename(from, to);
}

/* log.3 becomes log.4, log.2 log.3, …, log log.1; the oldest one falls off. A reader that has the file open reads on to
 * its end. */
static void rotate(struct log *log) {
  char oldest[PATH_MAX];
  unsigned last = log->max_files > 0 ? log->max_files - 1 : 0;
  if (log_name(oldest, log, last, "")) unlink(oldest);
  if (log->rotated != NULL && log_name(oldest, log, last, LOG_PACKED)) unlink(oldest);
  for (unsigned number = last; number > 0; number--) {
    move_up(log, number, "");
    if (log->rotated != NULL) move_up(log, number, LOG_PACKED);
  }
  if (log->packing > 0) log->packing++;
  close(log->fd);
  (void)open_file(log);
  if (log->rotated != NULL) log->rotated(log);
}

/* The beginning of a record that found no room would spoil the next one, which stands on the same line. */
static void cut_record(struct log *log, size_t done) {
  const char *newline = memrchr(buffer, '\n', done);
  size_t whole = newline == NULL ? 0 : (size_t)(newline + 1 - buffer);
  if (whole < done && ftruncate(log->fd, (off_t)(log->size - (done - whole))) == 0) log->size -= done - whole;
}

static void flush(struct log *log) {
  if (buffered == 0) return;
  if (log->fd < 0) (void)open_file(log);
  size_t done = 0;
  while (done < buffered && log->fd >= 0) {
    ssize_t wrote = write(log->fd, buffer + done, buffered - done);
    if (wrote < 0 && errno == EINTR) continue;
    /* A full disk must stop neither the container nor those who are attached: what cannot be written is lost. */
    if (wrote <= 0) break;
    done += (size_t)wrote;
  }
  log->size += done;
  if (done > 0 && done < buffered) cut_record(log, done);
  buffered = 0;
}

/* The bytes of a valid UTF-8 sequence at the start, or 0. */
static size_t sequence(const unsigned char *at, size_t room) {
  unsigned char first = at[0];
  size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || room < size) return 0;
  unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (at[1] < low || at[1] > high) return 0;
  for (size_t i = 2; i < size; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  return size;
}

static char *put(char *to, const char *bytes, size_t size) {
  memcpy(to, bytes, size);
  return to + size;
}

static char *put_escape(char *to, unsigned char byte) {
  static const char digits[] = "0123456789abcdef";
  if (byte == '\\' || byte == '"') return put(to, (const char[]){'\\', (char)byte}, 2);
  if (byte == '\n') return put(to, "\\n", 2);
  if (byte == '\r') return put(to, "\\r", 2);
  to = put(to, "\\u00", 4);
  *to++ = digits[byte >> 4];
  *to++ = digits[byte & 15];
  return to;
}

static bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '<' && byte != '>' && byte != '&';
}

/* As Go's encoder writes a string for the web: <, > and & escaped, broken UTF-8 replaced. */
static char *put_text(char *to, const char *text, size_t size) {
  const unsigned char *at = (const unsigned char *)text, *end = at + size;
  while (at < end) {
    const unsigned char *run = at;
    while (at < end && is_plain(*at)) at++;
    to = put(to, (const char *)run, (size_t)(at - run));
    if (at == end) break;
    if (*at < 0x80) {
      to = put_escape(to, *at++);
      continue;
    }
    size_t taken = sequence(at, (size_t)(end - at));
    if (taken == 0) {
      to = put(to, "\\ufffd", 6);
      at++;
    } else if (taken == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8) {
      to = put(to, at[2] == 0xa8 ? "\\u2028" : "\\u2029", 6); /* line ends to JavaScript */
      at += 3;
    } else {
      to = put(to, (const char *)at, taken);
      at += taken;
    }
  }
  return to;
}

/* RFC 3339 with nanoseconds, zeroes at the end left out. */
static char *put_time(char *to, const struct timespec *time) {
  static time_t known = -1;
  static char second[32];
  if (time->tv_sec != known) {
    struct tm parts;
    known = time->tv_sec;
    gmtime_r(&known, &parts);
    strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts);
  }
  to = put(to, second, strlen(second));
  if (time->tv_nsec != 0) {
    char digits[10];
    long rest = time->tv_nsec;
    for (int i = 9; i > 0; i--, rest /= 10) digits[i] = (char)('0' + rest % 10);
    digits[0] = '.';
    size_t length = sizeof digits;
    while (digits[length - 1] == '0') length--;
    to = put(to, digits, length);
  }
  *to++ = 'Z';
  return to;
}

static void record(struct log *log, const char *stream, const char *bytes, size_t size, bool newline,
                   const struct timespec *time) {
  if (log->path == NULL) return;
  bool full = log->max_size != 0 && log->size + buffered >= log->max_size;
  if (full || buffered + RECORD_LIMIT > BUFFER_SIZE) flush(log);
  if (full) rotate(log);
  char *start = buffer + buffered;
  char *to = put(start, "{\"log\":\"", 8);
  to = put_text(to, bytes, size);
  if (newline) to = put(to, "\\n", 2);
  to = put(to, "\",\"stream\":\"", 12);
  to = put(to, stream, strlen(stream));
  if (log->attributes != NULL) {
    to = put(to, "\",\"attrs\":", 10);
    to = put(to, log->attributes, strlen(log->attributes));
    to = put(to, ",\"time\":\"", 9);
  } else {
    to = put(to, "\",\"time\":\"", 10);
  }
  to = put_time(to, time);
  to = put(to, "\"}\n", 3);
  buffered += (size_t)(to - start);
}

/* A piece of a line: all pieces of one line bear the time of the first. */
static void piece(struct log *log, struct line *line, const char *stream, const char *bytes, size_t size, bool last) {
  if (!line->split) clock_gettime(CLOCK_REALTIME, &line->time);
  line->split = !last;
  record(log, stream, bytes, size, last, &line->time);
  if (log->heard != NULL) log->heard(&(struct said){stream, bytes, size, !last});
}

void log_bytes(struct log *log, struct line *line, const char *stream, const char *bytes, size_t size) {
  if (log->path == NULL && log->heard == NULL) return;
  const char *end = bytes + size;
  while (bytes < end) {
    size_t room = LINE_LIMIT - line->length;
    size_t left = (size_t)(end - bytes);
    const char *newline = memchr(bytes, '\n', left < room ? left : room);
    size_t taken = newline != NULL ? (size_t)(newline - bytes) : left < room ? left : room;
    if (newline != NULL && line->length == 0) {
      piece(log, line, stream, bytes, taken, true);
    } else {
      memcpy(line->bytes + line->length, bytes, taken);
      line->length += taken;
      if (newline != NULL || line->length == LINE_LIMIT) {
        piece(log, line, stream, line->bytes, line->length, newline != NULL);
        line->length = 0;
      }
    }
    bytes += taken + (newline != NULL ? 1 : 0);
  }
  flush(log);
}

void log_end(struct log *log, struct line *line, const char *stream) {
  if (line->length == 0) return;
  if (!line->split) clock_gettime(CLOCK_REALTIME, &line->time);
  record(log, stream, line->bytes, line->length, false, &line->time);
  if (log->heard != NULL) log->heard(&(struct said){stream, line->bytes, line->length, false});
  line->length = 0;
  flush(log);
}
