// What can be done to files, and what the kernel answers to a system call.
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_flags(const char *how) {
  static const struct {
    const char *how;
    int flags;
  } ways[] = {{"r", O_RDONLY},           {"w", O_WRONLY},
              {"rw", O_RDWR},            {"create", O_WRONLY | O_CREAT | O_EXCL},
              {"directory", O_DIRECTORY}, {"path", O_PATH}};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    if (!strcmp(ways[i].how, how)) return ways[i].flags;
  return O_RDONLY;
}

int probe_open(int count, char **args) {
  const char *path = argument(count, args, 0, "");
  int fd = open(path, open_flags(argument(count, args, 1, "r")) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
  if (fd < 0) return refused(path);
  close(fd);
  printf("%s: ok\n", path);
  return 0;
}

int probe_cat(int count, char **args) {
  const char *path = argument(count, args, 0, "");
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return refused(path);
  char buffer[65536];
  ssize_t length;
  while ((length = read(fd, buffer, sizeof buffer)) > 0) fwrite(buffer, 1, (size_t)length, stdout);
  int code = length < 0 ? refused(path) : 0;
  close(fd);
  return code;
}

int probe_write(int count, char **args) {
  const char *path = argument(count, args, 0, ""), *text = argument(count, args, 1, "");
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return refused(path);
  int code = write(fd, text, strlen(text)) < 0 ? refused(path) : 0;
  close(fd);
  if (code == 0) printf("%s: ok\n", path);
  return code;
}

int probe_stat(int count, char **args) {
  const char *path = argument(count, args, 0, "");
  struct stat info;
  if (lstat(path, &info)) return refused(path);
  static const char types[] = "?pc?d?b?-?l?s???";
  printf("%s: %c %04o %u:%u device %u:%u size %jd\n", path, types[info.st_mode >> 12 & 15], info.st_mode & 07777,
         info.st_uid, info.st_gid, major(info.st_rdev), minor(info.st_rdev), (intmax_t)info.st_size);
  return 0;
}

int probe_list(int count, char **args) {
  const char *path = argument(count, args, 0, "/");
  DIR *directory = opendir(path);
  if (!directory) return refused(path);
  for (struct dirent *entry; (entry = readdir(directory));)
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) printf("%s\n", entry->d_name);
  closedir(directory);
  return 0;
}

int probe_mknod(int count, char **args) {
  const char *path = argument(count, args, 0, ""), *type = argument(count, args, 1, "c");
  dev_t device = makedev((unsigned)number(argument(count, args, 2, "1")), (unsigned)number(argument(count, args, 3, "3")));
  if (mknod(path, (*type == 'b' ? S_IFBLK : S_IFCHR) | 0666, device)) return refused(path);
  printf("%s: ok\n", path);
  return 0;
}

// In a child, because a filter may kill, and because a call that succeeds may change the process.
static int in_child(long (*call)(const long *), const char *name, const long *values) {
  fflush(stdout);
  pid_t child = fork();
  if (child < 0) return refused("fork");
  if (child == 0) {
    errno = 0;
    long result = call(values);
    if (result == -1 && errno != 0)
      refused(name);
    else
      printf("%s: ok %ld\n", name, result);
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("%s: killed by %d\n", name, WTERMSIG(status));
  return 0;
}

static void read_values(int count, char **args, long values[7]) {
  for (int i = 0; i < 7 && i < count; i++)
    values[i] = *args[i] == ':' ? (long)(uintptr_t)(args[i] + 1) : (long)number(args[i]);
}

static long call_native(const long *v) { return syscall(v[0], v[1], v[2], v[3], v[4], v[5], v[6]); }

int probe_syscall(int count, char **args) {
  long values[7] = {0};
  read_values(count, args, values);
  return in_child(call_native, argument(count, args, 0, "0"), values);
}

#ifdef __x86_64__
static long call_int80(const long *v) {
  long result = v[0];
  __asm__ volatile("int $0x80"
                   : "+a"(result)
                   : "b"(v[1]), "c"(v[2]), "d"(v[3]), "S"(v[4]), "D"(v[5])
                   : "memory", "r8", "r9", "r10", "r11");
  // The old door answers in 32 bits.
  int answer = (int)result;
  if (answer >= 0 || answer < -4095) return answer;
  errno = -answer;
  return -1;
}
#else
static long call_int80(const long *v) {
  (void)v;
  errno = ENOSYS;
  return -1;
}
#endif

int probe_int80(int count, char **args) {
  long values[7] = {0};
  read_values(count, args, values);
  return in_child(call_int80, argument(count, args, 0, "0"), values);
}
