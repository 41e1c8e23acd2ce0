/* For tests: exits with the number of the line whose claim about the loop does not hold, or with 0. */
#include <errno.h>
#include <unistd.h>

#include "../../keeper/loop.h"

#define CLAIM(what) \
  if (!(what)) return __LINE__
enum { many = 100 };

static int calls, other_calls, order[3], ordered;
static int ends[2][2];

static void on_other(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)fd, (void)events, (void)data;
  other_calls++;
  loop_stop(loop);
}

/* Both descriptors are ready at once: whoever comes first takes the other one away and gives its number to a new pipe. */
static void on_either(struct loop *loop, int fd, uint32_t events, void *data) {
  int other = fd == ends[0][0] ? ends[1][0] : ends[0][0];
  int fresh[2];
  (void)events, (void)data;
  calls++;
  loop_remove(loop, other);
  loop_remove(loop, fd);
  close(other);
  if (pipe(fresh) < 0 || fresh[0] != other) _exit(254);
  loop_add(loop, fresh[0], EPOLLIN, on_other, NULL);
}

static void on_timer(struct loop *loop, void *data) {
  order[ordered++] = *(int *)data;
  if (ordered == 3) loop_stop(loop);
}

static int check_removal(struct loop *loop) {
  struct loop_timer timer = {0};
  int number = 0;
  for (int i = 0; i < 2; i++) {
    CLAIM(pipe(ends[i]) == 0 && write(ends[i][1], "x", 1) == 1);
    CLAIM(loop_add(loop, ends[i][0], EPOLLIN, on_either, NULL) == 0);
  }
  CLAIM(loop_add(loop, ends[0][0], EPOLLIN, on_either, NULL) == -1 && errno == EEXIST);
  ordered = 2;
  loop_timer_set(loop, &timer, 20, on_timer, &number);
  CLAIM(loop_run(loop) == 0);
  CLAIM(calls == 1 && other_calls == 0);
  return 0;
}

static int check_timers(struct loop *loop) {
  struct loop_timer timers[4] = {0};
  int numbers[4] = {1, 2, 3, 4};
  ordered = 0;
  loop_timer_set(loop, &timers[2], 30, on_timer, &numbers[2]);
  loop_timer_set(loop, &timers[0], 1, on_timer, &numbers[0]);
  loop_timer_set(loop, &timers[3], 5, on_timer, &numbers[3]);
  loop_timer_set(loop, &timers[1], 40, on_timer, &numbers[1]);
  loop_timer_set(loop, &timers[1], 10, on_timer, &numbers[1]);
  loop_timer_clear(loop, &timers[3]);
  int64_t start = loop_now();
  CLAIM(loop_run(loop) == 0);
  CLAIM(order[0] == 1 && order[1] == 2 && order[2] == 3);
  CLAIM(loop_now() - start >= 30);
  CLAIM(loop->timers == NULL);
  return 0;
}

static int check_growth(struct loop *loop) {
  int last = 0;
  for (int i = 0; i < many; i++) CLAIM((last = dup(ends[0][1])) >= 0);
  CLAIM(loop_add(loop, last, EPOLLOUT, on_other, NULL) == 0);
  CLAIM(loop_change(loop, last, EPOLLIN) == 0 && loop_change(loop, last, EPOLLOUT) == 0);
  CLAIM(loop_run(loop) == 0 && other_calls == 1);
  CLAIM(loop_remove(loop, last) == 0 && loop_remove(loop, last) == 0);
  CLAIM(loop_change(loop, last, EPOLLIN) == -1 && errno == ENOENT);
  return 0;
}

int main(void) {
  struct loop loop;
  if (loop_init(&loop) < 0) return 255;
  int line = check_removal(&loop);
  if (line == 0) line = check_timers(&loop);
  if (line == 0) line = check_growth(&loop);
  loop_free(&loop);
  return line;
}
