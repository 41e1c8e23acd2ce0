/* Processes: one by its descriptor; every one of a control group, where the kernel has no word for that (before Linux
 * 5.14, and in version 1). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "keeper.h"

int step_kill_process(struct keeper *k, const struct argument *a) {
  return error_of(syscall(SYS_pidfd_send_signal, k->slots[a[KILL_PROCESS_SLOT].number], SIGKILL, NULL, 0));
}

/* As long as a killed process may take in the kernel. */
#define KILL_ROUNDS 10000
#define ROUND_NS 1000000

/* How many there were; -1 when the group is gone. Who stands still cannot end, so that its number stays its own. */
static long kill_all(const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL) return -1;
  long count = 0;
  for (int pid; fscanf(file, "%d", &pid) == 1; count++)
    if (pid > 0) kill(pid, SIGKILL);
  fclose(file);
  return count;
}

int step_kill_frozen(struct keeper *k, const struct argument *a) {
  (void)k;
  const char *freezer = a[KILL_FROZEN_FREEZER].bytes;
  for (int round = 0; round < KILL_ROUNDS; round++) {
    int error = write_file(AT_FDCWD, freezer, a[KILL_FROZEN_FREEZE].bytes, a[KILL_FROZEN_FREEZE].length);
    if (error != 0) return error;
    long count = kill_all(a[KILL_FROZEN_PATH].bytes);
    error = write_file(AT_FDCWD, freezer, a[KILL_FROZEN_THAW].bytes, a[KILL_FROZEN_THAW].length);
    if (count <= 0) return count < 0 ? ENOENT : error;
    nanosleep(&(struct timespec){.tv_nsec = ROUND_NS}, NULL);
  }
  return EBUSY;
}
