// How the process goes on, and how it ends.
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int probe_exit(int count, char **args) {
  fflush(stdout);
  _exit((int)number(argument(count, args, 0, "0")));
}

int probe_signal(int count, char **args) {
  fflush(stdout);
  int which = (int)number(argument(count, args, 0, "9"));
  signal(which, SIG_DFL);
  kill(getpid(), which);
  // PID 1 of a namespace is not killed by itself.
  printf("signal %d: alive\n", which);
  return 0;
}

static struct timespec seconds(const char *text) {
  double value = strtod(text, NULL);
  time_t whole = (time_t)value;
  return (struct timespec){.tv_sec = whole, .tv_nsec = (long)((value - (double)whole) * 1e9)};
}

int probe_sleep(int count, char **args) {
  if (count == 0)
    for (;;) pause();
  struct timespec time = seconds(args[0]);
  while (nanosleep(&time, &time) && errno == EINTR) continue;
  return 0;
}

int probe_spin(int count, char **args) {
  struct timespec until = seconds(argument(count, args, 0, "1")), now;
  do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  while (now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec));
  return 0;
}

int probe_trap(int count, char **args) {
  uint64_t left = number(argument(count, args, 0, "1"));
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  printf("ready\n");
  for (;;) {
    int which = sigwaitinfo(&all, NULL);
    if (which < 0) continue;
    struct winsize size;
    if (which == SIGWINCH && !ioctl(0, TIOCGWINSZ, &size))
      printf("signal %d: %u rows and %u columns\n", which, size.ws_row, size.ws_col);
    else
      printf("signal %d\n", which);
    if (left > 0 && --left == 0) return which;
  }
}

int probe_setuid(int count, char **args) {
  uid_t uid = (uid_t)number(argument(count, args, 0, "65534"));
  gid_t gid = (gid_t)number(argument(count, args, 1, "65534"));
  if (count > 1 && (setgroups(0, NULL) || setgid(gid))) return refused("setgid");
  if (setuid(uid)) return refused("setuid");
  printf("setuid: ok\n");
  return 0;
}

int probe_chdir(int count, char **args) { return chdir(argument(count, args, 0, "/")) ? refused("chdir") : 0; }

int probe_exec(int count, char **args) {
  if (count == 0) return 2;
  fflush(stdout);
  execv(args[0], args);
  return refused(args[0]);
}

int probe_fork(int count, char **args) {
  uint64_t wanted = number(argument(count, args, 0, "10")), made = 0;
  fflush(stdout);
  int error = 0;
  // One group of their own, so that one signal ends them all.
  pid_t group = 0;
  for (; made < wanted; made++) {
    pid_t child = fork();
    if (child < 0) {
      error = errno;
      break;
    }
    if (child == 0) {
      setpgid(0, group);
      for (;;) pause();
    }
    if (group == 0) group = child;
    setpgid(child, group);
  }
  if (group > 0) kill(-group, SIGKILL);
  while (wait(NULL) > 0) continue;
  printf("forked: %ju%s%s\n", (uintmax_t)made, error ? " " : "", error ? strerrorname_np(error) : "");
  return 0;
}

int probe_orphans(int count, char **args) {
  uint64_t wanted = number(argument(count, args, 0, "10"));
  fflush(stdout);
  for (uint64_t i = 0; i < wanted; i++) {
    pid_t child = fork();
    if (child < 0) return refused("fork");
    if (child == 0) {
      if (fork() == 0) usleep(1000);
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  printf("orphans: %ju\n", (uintmax_t)wanted);
  return 0;
}

int probe_bomb(int count, char **args) {
  (void)count, (void)args;
  for (;;) fork();
}

int probe_memory(int count, char **args) {
  size_t size = (size_t)number(argument(count, args, 0, "1")) << 20;
  volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return refused("mmap");
  for (size_t at = 0; at < size; at += 4096) memory[at] = 1;
  printf("memory: %zu MiB\n", size >> 20);
  return 0;
}

int probe_files(int count, char **args) {
  uint64_t wanted = number(argument(count, args, 0, "10")), made = 0;
  while (made < wanted && open("/dev/null", O_RDONLY) >= 0) made++;
  printf("files: %ju%s%s\n", (uintmax_t)made, made < wanted ? " " : "", made < wanted ? strerrorname_np(errno) : "");
  return 0;
}

int probe_disk(int count, char **args) {
  const char *path = argument(count, args, 0, "");
  int reads = *argument(count, args, 1, "r") == 'r';
  uint64_t times = number(argument(count, args, 2, "1"));
  size_t size = (size_t)number(argument(count, args, 3, "4096"));
  int fd = open(path, O_DIRECT | (reads ? O_RDONLY : O_WRONLY));
  void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fd < 0 || bytes == MAP_FAILED) return refused(path);
  for (uint64_t i = 0; i < times; i++) {
    off_t at = (off_t)(i * size);
    ssize_t done = reads ? pread(fd, bytes, size, at) : pwrite(fd, bytes, size, at);
    if (done != (ssize_t)size) return refused(path);
  }
  printf("disk: %ju\n", (uintmax_t)times);
  return 0;
}
