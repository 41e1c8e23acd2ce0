/* Whether memory runs out in the container's group, as the kernel tells: version 2 when a line of a file changes, version
 * 1 by an event. Who is connected hears how often it was so far. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "keeper.h"

static struct {
  int file;  /* memory.events or memory.oom_control; -1 when nothing is watched */
  int event; /* version 1's, or -1 */
  uint64_t kills;
  uint32_t count;
} memory = {.file = -1, .event = -1};

/* The number on the line `oom_kill` (Linux 4.13); false when the group is gone. */
static bool read_kills(uint64_t *kills) {
  char text[512];
  ssize_t size = pread(memory.file, text, sizeof text - 1, 0);
  if (size < 0) return false;
  text[size] = 0;
  const char *line = strstr(text, "oom_kill ");
  *kills = line == NULL ? 0 : strtoull(line + strlen("oom_kill "), NULL, 10);
  return true;
}

void memory_forget(struct keeper *k) {
  if (memory.file < 0) return;
  loop_remove(&k->loop, memory.event >= 0 ? memory.event : memory.file);
  if (memory.event >= 0) close(memory.event);
  close(memory.file);
  memory.file = memory.event = -1;
}

void memory_tell(const struct keeper *k, int fd) {
  /* The count says it all once more the next time: a daemon that does not listen is not waited for. */
  if (memory.count > 0 && poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 0) > 0)
    say_to(k, fd, SAY_MEMORY, &memory.count, sizeof memory.count);
}

bool memory_look(struct keeper *k) {
  uint64_t kills, events = 0;
  if (memory.file < 0) return false;
  bool notified = memory.event >= 0 && read(memory.event, &events, sizeof events) == sizeof events;
  if (!read_kills(&kills)) {
    /* Version 1 tells of the group's end as of everything else. */
    memory_forget(k);
    return false;
  }
  /* Version 1's event comes before the kill, and where nobody may be killed. */
  bool ran_out = memory.event >= 0 ? notified : kills != memory.kills;
  memory.kills = kills;
  if (ran_out) memory.count++;
  return ran_out;
}

static void on_memory(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)fd, (void)events;
  struct keeper *k = data;
  if (memory_look(k)) tell_memory(k);
}

/* Documentation/admin-guide/cgroup-v1/memory.rst, 10: the event's descriptor and the file's, as text. */
static int open_event(const char *control) {
  int fd = open(control, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  memory.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int error = memory.event < 0 || dprintf(fd, "%d %d", memory.event, memory.file) < 0 ? errno : 0;
  close(fd);
  return error;
}

int step_watch_memory(struct keeper *k, const struct argument *a) {
  memory.file = open(a[WATCH_MEMORY_PATH].bytes, O_RDONLY | O_CLOEXEC);
  if (memory.file < 0) return errno;
  bool v1 = a[WATCH_MEMORY_CONTROL].length > 0;
  int error = v1 ? open_event(a[WATCH_MEMORY_CONTROL].bytes) : 0;
  /* The kernel tells of changes since the last reading. */
  if (error == 0 && !read_kills(&memory.kills)) error = errno;
  int fd = v1 ? memory.event : memory.file;
  if (error == 0 && loop_add(&k->loop, fd, v1 ? EPOLLIN : EPOLLPRI, on_memory, k) != 0) error = errno;
  if (error != 0) memory_forget(k);
  return error;
}
