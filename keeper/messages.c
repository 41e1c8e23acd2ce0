/* What is sent of a line: a message of syslog, in the forms that Docker knows, or an entry of systemd's journal
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL). */
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "keeper.h"

/* Of the fields of an entry, and of a host's name and a tag. */
#define HEAD_LIMIT 32768

enum { SEVERITY_ERROR = 3, SEVERITY_INFORMATION = 6 };

static const char *host, *tag, *fields;
static size_t fields_size;
static unsigned facility, format;
static char message[HEAD_LIMIT + LINE_LIMIT + 256];

static unsigned severity(const struct said *said) {
  return strcmp(said->stream, "stderr") == 0 ? SEVERITY_ERROR : SEVERITY_INFORMATION;
}

/* RFC 3339, with microseconds where they are wanted, and Z where that is the zone. */
static size_t full_time(char *to, size_t room, const struct timeval *now, const struct tm *parts) {
  size_t size = strftime(to, room, "%Y-%m-%dT%H:%M:%S", parts);
  if (format == SYSLOG_RFC5424MICRO) size += (size_t)snprintf(to + size, room - size, ".%06ld", (long)now->tv_usec);
  long minutes = parts->tm_gmtoff / 60, distance = minutes < 0 ? -minutes : minutes;
  if (minutes == 0) return size + (size_t)snprintf(to + size, room - size, "Z");
  return size + (size_t)snprintf(to + size, room - size, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', distance / 60, distance % 60);
}

static size_t put_head(unsigned priority) {
  char when[64];
  struct timeval now;
  struct tm parts;
  gettimeofday(&now, NULL);
  localtime_r(&now.tv_sec, &parts);
  int pid = getpid(), size;
  if (format == SYSLOG_RFC5424 || format == SYSLOG_RFC5424MICRO) {
    full_time(when, sizeof when, &now, &parts);
    size = snprintf(message, HEAD_LIMIT, "<%u>1 %s %s %s %d %s - ", priority, when, host, tag, pid, tag);
  } else {
    strftime(when, sizeof when, "%b %e %H:%M:%S", &parts);
    const char *space = format == SYSLOG_RFC3164 ? " " : "";
    const char *from = format == SYSLOG_RFC3164 ? host : "";
    size = snprintf(message, HEAD_LIMIT, "<%u>%s %s%s%s[%d]: ", priority, when, from, space, tag, pid);
  }
  return size < 0 ? 0 : (size_t)size < HEAD_LIMIT ? (size_t)size : HEAD_LIMIT - 1;
}

static void send_syslog(const struct said *said) {
  size_t size = put_head(facility << 3 | severity(said));
  memcpy(message + size, said->bytes, said->size);
  size += said->size;
  message[size++] = '\n';
  send_message(message, size);
}

/* A line may have any byte in it: its length is said. */
static void send_entry(const struct said *said) {
  uint64_t length = said->size;
  memcpy(message, fields, fields_size);
  size_t size = fields_size;
  size += (size_t)snprintf(message + size, 128, "PRIORITY=%u\n%sMESSAGE\n", severity(said),
                           said->goes_on ? "CONTAINER_PARTIAL_MESSAGE=true\n" : "");
  memcpy(message + size, &length, sizeof length); /* little endian, as the machines that this is built for */
  size += sizeof length;
  memcpy(message + size, said->bytes, said->size);
  size += said->size;
  message[size++] = '\n';
  send_message(message, size);
}

int step_as_syslog(struct keeper *k, const struct argument *a) {
  if (a[AS_SYSLOG_HOST].length + 2 * (size_t)a[AS_SYSLOG_TAG].length > HEAD_LIMIT - 256) return E2BIG;
  format = (unsigned)a[AS_SYSLOG_FORMAT].number;
  facility = (unsigned)a[AS_SYSLOG_FACILITY].number;
  host = a[AS_SYSLOG_HOST].bytes;
  tag = a[AS_SYSLOG_TAG].bytes;
  k->log.heard = send_syslog;
  return 0;
}

int step_as_journal(struct keeper *k, const struct argument *a) {
  if (a[AS_JOURNAL_FIELDS].length > HEAD_LIMIT) return E2BIG;
  fields = a[AS_JOURNAL_FIELDS].bytes;
  fields_size = a[AS_JOURNAL_FIELDS].length;
  k->log.heard = send_entry;
  return 0;
}
