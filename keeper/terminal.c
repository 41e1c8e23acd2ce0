/* The container's terminal. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "keeper.h"

/* CVE-2025-52565: the terminal is taken from the container's own devpts, and its peer by descriptor. */
int step_terminal(struct keeper *k, const struct argument *a) {
  int master = open_in_root(k, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) return errno;
  struct stat status;
  int error = error_of(fstat(master, &status));
  if (error == 0 && (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2))) error = ENXIO;
  if (error == 0) error = error_of(ioctl(master, TIOCSPTLCK, &(int){0}));
  int slave = error == 0 ? ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
  if (error == 0) error = error_of(slave);
  if (error == 0 && a[TERMINAL_ROWS].number != 0) {
    struct winsize size = {.ws_row = (unsigned short)a[TERMINAL_ROWS].number,
                           .ws_col = (unsigned short)a[TERMINAL_COLUMNS].number};
    error = error_of(ioctl(master, TIOCSWINSZ, &size));
  }
  if (error == 0 && a[TERMINAL_CONSOLE].number != 0) {
    int target = open_target(k, "/dev/console", false);
    int tree = (int)syscall(SYS_open_tree, slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    error = target < 0 || tree < 0 ? errno : attach_tree(tree, target);
    close(target);
    close(tree);
  }
  if (error == 0) error = error_of(ioctl(slave, TIOCSCTTY, 0));
  for (int stream = 0; error == 0 && stream < STREAM_COUNT; stream++) error = error_of(dup2(slave, stream));
  if (error == 0) error = sync_send(k->sync, (struct sync_message){.kind = SYNC_TERMINAL}, NULL, 0, master);
  if (slave > STREAM_ERR) close(slave);
  close(master);
  return error;
}
