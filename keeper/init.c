/* `--init`: a process 1 that passes on every signal and reaps whatever dies. */
#include <errno.h>
#include <signal.h>
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

int become_init(struct keeper *k) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  pid_t program = fork();
  if (program < 0) return errno;
  if (program == 0) {
    setpgid(0, 0);
    tcsetpgrp(STDIN_FILENO, getpid());
    return 0;
  }
  close(k->sync);
  take_title(k);
  for (;;) {
    siginfo_t info;
    if (sigwaitinfo(&all, &info) < 0) continue;
    if (info.si_signo == SIGCHLD) reap(program);
    else kill(program, info.si_signo);
  }
}
