/* `--init`: a process 1 that passes on every signal and reaps whatever dies. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper.h"

static void take_title(struct keeper *k) {
  static const char title[] = "/sbin/docker-init";
  prctl(PR_SET_NAME, "docker-init");
  memset(k->title, 0, k->title_size);
  memcpy(k->title, title, k->title_size < sizeof title ? k->title_size - 1 : sizeof title);
}

static void reap(pid_t program) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == program) _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* The program has the terminal, if there is one; signals are blocked in both. */
static pid_t fork_program(void) {
  pid_t program = fork();
  if (program == 0) {
    setpgid(0, 0);
    tcsetpgrp(STDIN_FILENO, getpid());
  }
  return program;
}

static _Noreturn void tend(pid_t program, const sigset_t *all) {
  for (;;) {
    siginfo_t info;
    if (sigwaitinfo(all, &info) < 0) continue;
    if (info.si_signo == SIGCHLD) reap(program);
    else kill(program, info.si_signo);
  }
}

int become_init(struct keeper *k) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  pid_t program = fork_program();
  if (program < 0) return errno;
  if (program == 0) return 0;
  close(k->sync);
  take_title(k);
  tend(program, &all);
}

int run_as_init(char **words) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t program = fork_program();
  if (program > 0) tend(program, &all);
  if (program == 0) {
    sigprocmask(SIG_SETMASK, &before, NULL);
    execvp(words[0], words);
  }
  int error = errno;
  fprintf(stderr, "docker-init: %s: %s\n", words[0], strerror(error));
  return error == ENOENT ? 127 : 126;
}
