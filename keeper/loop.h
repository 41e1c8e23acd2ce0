/* The keeper's event loop: descriptors (epoll, level-triggered) and timers (monotonic milliseconds), one thread.
 *
 * A callback may add, change and remove any descriptor or timer, its own too, and close what it removed: an event that
 * was already fetched for a removed descriptor is never delivered, even when its number was given out again. Events
 * are dispatched without allocating; the only memory is one table that grows with the highest descriptor watched.
 * Descriptors stay the caller's: the loop never closes one. */
#ifndef KEEPER_LOOP_H
#define KEEPER_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;
typedef void loop_callback(struct loop *loop, int fd, uint32_t events, void *data);
typedef void loop_timer_callback(struct loop *loop, void *data);

/* Owned and embedded by the caller; all zero is "not set". */
struct loop_timer {
  int64_t due;
  loop_timer_callback *callback;
  void *data;
  struct loop_timer *next, *previous;
};

struct loop_watch {
  loop_callback *callback; /* NULL: nothing is watched under this number */
  void *data;
  uint32_t serial; /* tells this watch from an earlier one of the same descriptor number */
};

struct loop {
  int epoll;
  bool stopped;
  uint32_t serial;
  struct loop_watch *watches; /* by descriptor number */
  size_t capacity;
  struct loop_timer *timers; /* by due time, the earliest first */
};

/* All of these return 0, or -1 with errno set. */
int loop_init(struct loop *loop);
/* The callback is called while any of `events` (EPOLLIN, EPOLLOUT, EPOLLRDHUP, …) holds, and on EPOLLERR and EPOLLHUP. */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_callback *callback, void *data);
int loop_change(struct loop *loop, int fd, uint32_t events);
/* Returns 0 also when nothing is watched under this number. Must come before the descriptor is closed. */
int loop_remove(struct loop *loop, int fd);
/* Runs callbacks until loop_stop. */
int loop_run(struct loop *loop);

void loop_stop(struct loop *loop);
/* Frees the table and closes the epoll descriptor; nothing that was watched is touched. */
void loop_free(struct loop *loop);

int64_t loop_now(void);
/* Once, `delay` milliseconds from now at the earliest; a timer already set is moved. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay, loop_timer_callback *callback,
                    void *data);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

#endif
