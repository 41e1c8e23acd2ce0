// What goes on and on: lines that come one by one, processes that come and go.
#include "probe.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct timespec milliseconds(uint64_t count) {
  return (struct timespec){.tv_sec = (time_t)(count / 1000), .tv_nsec = (long)(count % 1000) * 1000000};
}

int probe_tick(int count, char **args) {
  struct timespec pause = milliseconds(number(argument(count, args, 0, "100")));
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, NULL);
  uint64_t line = 0;
  do printf("line %lu\n", (unsigned long)++line);
  while (sigtimedwait(&term, NULL, &pause) < 0);
  printf("end %lu\n", (unsigned long)line);
  fflush(stdout);
  _exit((int)number(argument(count, args, 1, "0")));
}

#define AT_ONCE 100

int probe_churn(int count, char **args) {
  uint64_t left = number(argument(count, args, 0, "1000")), killed = 0, alive = 0, made = 0;
  struct timespec life = milliseconds(2);
  while (left > 0 || alive > 0) {
    while (left > 0 && alive < AT_ONCE) {
      pid_t child = fork();
      if (child == 0) {
        nanosleep(&life, NULL);
        _exit(0);
      }
      if (child < 0) break;
      left--;
      alive++;
      made++;
    }
    int status;
    if (alive > 0 && wait(&status) > 0) {
      alive--;
      if (WIFSIGNALED(status)) killed++;
    }
  }
  printf("made %lu killed %lu\n", (unsigned long)made, (unsigned long)killed);
  return killed > 0;
}
