/* The holder: keeps one sealed copy of the keeper's program, which all keepers are started from (CVE-2019-5736: what a
 * container can reach as /proc/<pid>/exe is a file that nobody can write to), and the mount namespace of the store. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper.h"

#define NAME "keeper"

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

/* A file system in memory that hangs nowhere. */
static int new_memory(void) {
  int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  int tree = -1;
  if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", NAME, 0) == 0 &&
      syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
    tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  close(context);
  return tree;
}

/* The whole file system, not only this mount of it. */
static int make_read_only(int tree) {
  int context = (int)syscall(SYS_fspick, tree, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
  if (context < 0) return errno;
  bool done = syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0 &&
              syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0;
  int error = done ? 0 : errno;
  close(context);
  return error;
}

/* A descriptor of a file that can be read and run, and never changed by anybody: it lies on a read-only file system that
 * only this descriptor leads to. A sealed memfd keeps its bytes, but not its mode, owner and attributes: before Linux 6.3
 * (F_SEAL_EXEC) a container's root who came by it could take away the permission to run it, and with it all keepers. */
static int sealed_program(void) {
  int tree = new_memory();
  if (tree < 0) return -1;
  int writable = openat(tree, NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555);
  int error = writable < 0 ? errno : copy_program(writable);
  /* While a descriptor for writing is open, the file cannot be run and its file system not become read-only. */
  if (writable >= 0) close(writable);
  if (error == 0) error = make_read_only(tree);
  int sealed = error == 0 ? openat(tree, NAME, O_RDONLY | O_CLOEXEC) : -1;
  close(tree);
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
