/* The log's writer: whatever a container says, in whatever pieces, the file has whole records only, and what they hold is
 * what was said. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../keeper/log.h"
#include "fuzz.h"

enum { file_limit = 1 << 20 };

static struct line lines[2];
static const char *const streams[2] = {"stdout", "stderr"};

/* Behind `text`, or a null pointer. */
static const char *skip(const char *at, const char *text) {
  size_t length = strlen(text);
  return at != NULL && strncmp(at, text, length) == 0 ? at + length : NULL;
}

/* One JSON string without quotes, control characters, what the web must not see, or escapes that Docker does not write. */
static const char *skip_text(const char *at, int *newlines) {
  static const char *const escapes[] = {"\\n", "\\r", "\\\\", "\\\"", "\\ufffd", "\\u2028", "\\u2029"};
  while (*at != '"') {
    unsigned char byte = (unsigned char)*at;
    MUST(byte >= 0x20 && strchr("<>&", byte) == NULL);
    if (byte != '\\') {
      at++;
      continue;
    }
    const char *behind = NULL;
    for (size_t i = 0; behind == NULL && i < sizeof escapes / sizeof *escapes; i++) behind = skip(at, escapes[i]);
    if (behind == NULL && skip(at, "\\u00") != NULL) behind = at + 6;
    MUST(behind != NULL);
    *newlines = skip(at, "\\n") != NULL;
    at = behind;
  }
  return at;
}

static unsigned count_lines(const char *text) {
  unsigned count = 0;
  for (const char *at = text; *at != 0;) {
    int ends = 0;
    at = skip(at, "{\"log\":\"");
    MUST(at != NULL);
    at = skip_text(at, &ends);
    const char *out = skip(at, "\",\"stream\":\"stdout\",\"time\":\"");
    at = out != NULL ? out : skip(at, "\",\"stream\":\"stderr\",\"time\":\"");
    MUST(at != NULL);
    at += strspn(at, "0123456789-:.T");
    at = skip(at, "Z\"}\n");
    MUST(at != NULL);
    if (ends) count++;
  }
  return count;
}

/* What a script says; the number of lines. */
static unsigned say(struct log *log, struct script *script) {
  unsigned lines_said = 0;
  size_t cost = 0;
  while (script->at < script->end) {
    uint8_t what = take_byte(script);
    size_t length;
    /* Lines around the limit are long, and inputs short: a piece is said again and again. */
    size_t times = (what & 2) != 0 ? 1U << (take_byte(script) % 10) : 1;
    const uint8_t *piece = take_bytes(script, take_byte(script), &length);
    for (; times > 0 && cost < file_limit / 2; times--) {
      log_bytes(log, &lines[what & 1], streams[what & 1], (const char *)piece, length);
      cost += 6 * length + 128;
      for (size_t at = 0; at < length; at++) {
        if (piece[at] != '\n') continue;
        lines_said++;
        cost += 128;
      }
    }
  }
  return lines_said;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static char text[file_limit + 1];
  static int fd = -1;
  if (fd < 0) fd = memfd_create("log", MFD_CLOEXEC);
  MUST(fd >= 0 && ftruncate(fd, 0) == 0 && fcntl(fd, F_SETFL, O_APPEND) == 0);
  struct log log = {.fd = fd, .path = "/nowhere/log"};
  memset(lines, 0, sizeof lines);
  unsigned said = say(&log, &(struct script){bytes, bytes + size});
  for (int i = 0; i < 2; i++) log_end(&log, &lines[i], streams[i]);
  ssize_t got = pread(fd, text, file_limit, 0);
  MUST(log.fd == fd && got >= 0 && got < file_limit && (uint64_t)got == log.size);
  text[got] = 0;
  MUST(count_lines(text) == said);
  return 0;
}
