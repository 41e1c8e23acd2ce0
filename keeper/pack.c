/* What the log rotates away is compressed, one file after the other, by a child: it takes its time, and the container is
 * not to wait for it. The child has no names, only descriptors; files change their numbers while it works. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gzip.h"
#include "keeper.h"

#define UNFINISHED LOG_PACKED ".new"

static struct keeper *keeper;
static pid_t packer;

/* The last files to be packed are those that nobody has seen finished: a keeper ended meanwhile. The oldest comes first. */
static unsigned find_unpacked(const struct log *log) {
  char name[PATH_MAX];
  unsigned found = 0;
  for (unsigned number = 1; number < log->max_files; number++) {
    if (log_name(name, log, number, "") && access(name, F_OK) == 0) found = number;
    else if (!log_name(name, log, number, LOG_PACKED) || access(name, F_OK) != 0) break;
  }
  return found;
}

/* Readers know the compressed file for the one they have open, by its inode and the time of its last byte. */
static _Noreturn void pack(pid_t parent, int from, int to) {
  struct stat status;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  /* A client that waits for the end of its stream must not wait for ours. */
  if (dup2(from, 0) < 0 || dup2(to, 1) < 0 || syscall(SYS_close_range, 2U, ~0U, 0U) != 0) _exit(1);
  setpriority(PRIO_PROCESS, 0, 19);
  if (fstat(0, &status) != 0) _exit(1);
  uint64_t note[2] = {status.st_ino, (uint64_t)status.st_size};
  int error = gzip_file(0, 1, (struct gzip_note){.name = {'P', 'I'}, .bytes = note, .size = sizeof note});
  if (error == 0) error = error_of(futimens(1, (struct timespec[]){status.st_atim, status.st_mtim}));
  _exit(error == 0 ? 0 : 1);
}

/* Children are born where the container's are to be, which may be among those of another container. */
static pid_t fork_at_home(void) {
  int home = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  int error = home < 0 ? errno : error_of(setns(home, CLONE_NEWPID));
  if (home >= 0) close(home);
  if (error == 0) return fork();
  errno = error;
  return -1;
}

static loop_callback on_packed;

static void pack_next(struct log *log) {
  char name[PATH_MAX];
  unsigned number = packer > 0 ? 0 : find_unpacked(log);
  if (number == 0) return;
  int from = log_name(name, log, number, "") ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
  int to = log_name(name, log, 0, UNFINISHED) ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640) : -1;
  pid_t parent = getpid();
  pid_t child = from >= 0 && to >= 0 ? fork_at_home() : -1;
  if (child == 0) pack(parent, from, to);
  if (from >= 0) close(from);
  if (to >= 0) close(to);
  if (child < 0) return;
  packer = child;
  log->packing = number;
  int pidfd = (int)syscall(SYS_pidfd_open, packer, 0);
  if (pidfd >= 0 && loop_add(&keeper->loop, pidfd, EPOLLIN, on_packed, keeper) == 0) return;
  /* Nobody would hear of its end. */
  if (pidfd >= 0) close(pidfd);
  kill(packer, SIGKILL);
  waitpid(packer, NULL, 0);
  packer = 0;
  log->packing = 0;
}

/* Both names are there for a moment, and never none. */
static bool put_in_place(const struct log *log, unsigned number) {
  char made[PATH_MAX], packed[PATH_MAX], plain[PATH_MAX];
  if (!log_name(made, log, 0, UNFINISHED) || !log_name(packed, log, number, LOG_PACKED)) return false;
  if (number >= log->max_files || rename(made, packed) != 0) return false;
  return log_name(plain, log, number, "") && unlink(plain) == 0;
}

bool is_packer(pid_t pid) { return packer > 0 && pid == packer; }

static void on_packed(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)events;
  struct log *log = &((struct keeper *)data)->log;
  int status = 0;
  if (waitpid(packer, &status, WNOHANG) == 0) return;
  loop_remove(loop, fd);
  close(fd);
  unsigned number = log->packing;
  packer = 0;
  log->packing = 0;
  /* What could not be packed, on a full disk, is tried again when the next file is. */
  if (status == 0 && put_in_place(log, number)) pack_next(log);
  if (keeper->adopts) reap_orphans(keeper);
}

int step_compress_log(struct keeper *k, const struct argument *a) {
  (void)a;
  keeper = k;
  k->log.rotated = pack_next;
  pack_next(&k->log);
  return 0;
}
