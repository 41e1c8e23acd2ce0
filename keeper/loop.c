#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { events_at_once = 32, first_capacity = 32, most_descriptors = 1 << 16 };

int loop_init(struct loop *loop) {
  *loop = (struct loop){0};
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  return loop->epoll < 0 ? -1 : 0;
}

void loop_free(struct loop *loop) {
  free(loop->watches);
  close(loop->epoll);
  *loop = (struct loop){.epoll = -1};
}

static int grow(struct loop *loop, int fd) {
  size_t capacity = loop->capacity == 0 ? first_capacity : loop->capacity;
  if (fd < 0 || fd >= most_descriptors) {
    errno = fd < 0 ? EBADF : EMFILE;
    return -1;
  }
  while (capacity <= (size_t)fd) capacity *= 2;
  if (capacity == loop->capacity) return 0;
  struct loop_watch *watches = reallocarray(loop->watches, capacity, sizeof *watches);
  if (watches == NULL) return -1;
  memset(watches + loop->capacity, 0, (capacity - loop->capacity) * sizeof *watches);
  loop->watches = watches;
  loop->capacity = capacity;
  return 0;
}

static struct epoll_event event_for(const struct loop *loop, int fd, uint32_t events) {
  uint64_t serial = loop->watches[fd].serial;
  return (struct epoll_event){.events = events, .data.u64 = serial << 32 | (uint32_t)fd};
}

static bool is_watched(const struct loop *loop, int fd) {
  return fd >= 0 && (size_t)fd < loop->capacity && loop->watches[fd].callback != NULL;
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_callback *callback, void *data) {
  if (grow(loop, fd) < 0) return -1;
  if (is_watched(loop, fd)) {
    errno = EEXIST;
    return -1;
  }
  loop->watches[fd].serial = ++loop->serial;
  struct epoll_event event = event_for(loop, fd, events);
  if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) return -1;
  loop->watches[fd].callback = callback;
  loop->watches[fd].data = data;
  return 0;
}

int loop_change(struct loop *loop, int fd, uint32_t events) {
  if (!is_watched(loop, fd)) {
    errno = ENOENT;
    return -1;
  }
  struct epoll_event event = event_for(loop, fd, events);
  return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event);
}

int loop_remove(struct loop *loop, int fd) {
  if (!is_watched(loop, fd)) return 0;
  loop->watches[fd].callback = NULL;
  return epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void loop_stop(struct loop *loop) { loop->stopped = true; }

int64_t loop_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer) {
  if (timer->callback == NULL) return;
  if (timer->next != NULL) timer->next->previous = timer->previous;
  if (timer->previous != NULL)
    timer->previous->next = timer->next;
  else
    loop->timers = timer->next;
  *timer = (struct loop_timer){0};
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay, loop_timer_callback *callback,
                    void *data) {
  loop_timer_clear(loop, timer);
  /* One more, because the clock was rounded down. */
  *timer = (struct loop_timer){.due = loop_now() + delay + 1, .callback = callback, .data = data};
  struct loop_timer *previous = NULL, *next = loop->timers;
  while (next != NULL && next->due <= timer->due) {
    previous = next;
    next = next->next;
  }
  timer->previous = previous;
  timer->next = next;
  if (next != NULL) next->previous = timer;
  if (previous != NULL)
    previous->next = timer;
  else
    loop->timers = timer;
}

static int milliseconds_to_wait(const struct loop *loop) {
  if (loop->timers == NULL) return -1;
  int64_t left = loop->timers->due - loop_now();
  return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Those due at the start only: a timer that sets itself again without a delay must not keep descriptors waiting. */
static void run_timers(struct loop *loop) {
  int64_t now = loop_now();
  while (!loop->stopped && loop->timers != NULL && loop->timers->due <= now) {
    struct loop_timer *timer = loop->timers;
    loop_timer_callback *callback = timer->callback;
    void *data = timer->data;
    loop_timer_clear(loop, timer);
    callback(loop, data);
  }
}

static void dispatch(struct loop *loop, const struct epoll_event *event) {
  int fd = (int)(uint32_t)event->data.u64;
  uint32_t serial = (uint32_t)(event->data.u64 >> 32);
  if (!is_watched(loop, fd) || loop->watches[fd].serial != serial) return;
  /* Copied: the callback may make the table move. */
  struct loop_watch watch = loop->watches[fd];
  watch.callback(loop, fd, event->events, watch.data);
}

int loop_run(struct loop *loop) {
  struct epoll_event events[events_at_once];
  while (!loop->stopped) {
    int count = epoll_wait(loop->epoll, events, events_at_once, milliseconds_to_wait(loop));
    if (count < 0 && errno != EINTR) return -1;
    run_timers(loop);
    for (int i = 0; i < count && !loop->stopped; i++) dispatch(loop, &events[i]);
  }
  loop->stopped = false;
  return 0;
}
