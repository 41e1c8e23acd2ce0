/* The holder: keeps one sealed copy of the keeper's program, which all keepers are started from (CVE-2019-5736: what a
 * container can reach as /proc/<pid>/exe is a file that nobody can write to), and the mount namespace of the store. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper.h"

/* Younger than the C library may be (linux/memfd.h, linux/fcntl.h). */
#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

static int copy_program(int to) {
  int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (from < 0) return errno;
  ssize_t size;
  do size = sendfile(to, from, NULL, 1U << 20);
  while (size > 0 || (size < 0 && errno == EINTR));
  int error = size < 0 ? errno : 0;
  close(from);
  return error;
}

/* To be run, whatever vm.memfd_noexec says; kernels before 6.3 do not know the word and need none. */
static int create_memory_file(void) {
  int fd = memfd_create("keeper", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  return fd < 0 && errno == EINVAL ? memfd_create("keeper", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

/* F_SEAL_EXEC, where there is one (Linux 6.3), so that a container's root cannot take away the permission to run it. */
static int seal(int fd) {
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_EXEC) == 0) return 0;
  return fcntl(fd, F_ADD_SEALS, seals) != 0 ? errno : 0;
}

/* A descriptor that can be read and run only, of a file that can never be changed. */
static int sealed_program(void) {
  int writable = create_memory_file();
  if (writable < 0) return -1;
  int error = copy_program(writable);
  if (error == 0 && fchmod(writable, 0555) != 0) error = errno;
  if (error == 0) error = seal(writable);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", writable);
  /* While a descriptor for writing is open, the file cannot be run (ETXTBSY). */
  int sealed = error == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  close(writable);
  return sealed;
}

/* The namespace of an earlier holder, or a new one: what the host mounts later appears in it, and nothing of it on the
 * host. */
static int enter_store(const char *join) {
  if (join == NULL) {
    if (unshare(CLONE_NEWNS) != 0) return errno;
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0 ? errno : 0;
  }
  int fd = open(join, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = setns(fd, CLONE_NEWNS) != 0 ? errno : 0;
  close(fd);
  return error;
}

/* A holder that nobody has written down would never be found again: it leaves with the daemon that began it. */
static bool is_kept(void) {
  char word;
  while (poll(&(struct pollfd){.fd = 3, .events = POLLIN}, 1, -1) < 0 && errno == EINTR) continue;
  return read(3, &word, 1) == 1;
}

int hold(const char *join) {
  prctl(PR_SET_NAME, "pier-holder");
  int program = sealed_program();
  if (program < 0 || enter_store(join) != 0) return 1;
  (void)write_file(AT_FDCWD, "/proc/self/oom_score_adj", "-999", 4);
  char line[96];
  int size = snprintf(line, sizeof line, "%d %llu %d\n", getpid(), (unsigned long long)start_time(getpid()), program);
  if (write_all(3, line, (size_t)size) != 0 || !is_kept()) return 1;
  close(3);
  for (;;) pause();
}
