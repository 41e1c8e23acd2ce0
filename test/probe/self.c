// What the process is, as the kernel tells it without /proc where it can.
#include "probe.h"

#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

int probe_id(int count, char **args) {
  (void)count, (void)args;
  uid_t uid, euid, suid;
  gid_t gid, egid, sgid, groups[1024];
  getresuid(&uid, &euid, &suid);
  getresgid(&gid, &egid, &sgid);
  int number_of_groups = getgroups(1024, groups);
  printf("pid: %d\nppid: %d\npgid: %d\nsid: %d\n", getpid(), getppid(), getpgrp(), getsid(0));
  printf("uid: %u %u %u\ngid: %u %u %u\ngroups:", uid, euid, suid, gid, egid, sgid);
  for (int i = 0; i < number_of_groups; i++) printf(" %u", groups[i]);
  printf("\n");
  return 0;
}

static void print_set(const char *name, uint64_t set) { printf("%s: %016jx\n", name, (uintmax_t)set); }

int probe_caps(int count, char **args) {
  (void)count, (void)args;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data)) return refused("capget");
  print_set("effective", data[0].effective | (uint64_t)data[1].effective << 32);
  print_set("permitted", data[0].permitted | (uint64_t)data[1].permitted << 32);
  print_set("inheritable", data[0].inheritable | (uint64_t)data[1].inheritable << 32);
  uint64_t bounding = 0, ambient = 0;
  for (unsigned long cap = 0; cap < 64; cap++) {
    if (prctl(PR_CAPBSET_READ, cap) == 1) bounding |= 1ULL << cap;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1) ambient |= 1ULL << cap;
  }
  print_set("bounding", bounding);
  print_set("ambient", ambient);
  return 0;
}

int probe_security(int count, char **args) {
  (void)count, (void)args;
  printf("seccomp: %d\nno_new_privs: %d\ndumpable: %d\n", prctl(PR_GET_SECCOMP), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
         prctl(PR_GET_DUMPABLE));
  return 0;
}

static void print_limit(rlim_t value) {
  if (value == RLIM_INFINITY)
    printf(" unlimited");
  else
    printf(" %ju", (uintmax_t)value);
}

int probe_limits(int count, char **args) {
  (void)count, (void)args;
  static const struct {
    const char *name;
    __rlimit_resource_t resource;
  } limits[] = {{"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
                {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
                {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
                {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
                {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
                {"stack", RLIMIT_STACK}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    struct rlimit limit;
    if (getrlimit(limits[i].resource, &limit)) return refused(limits[i].name);
    printf("%s:", limits[i].name);
    print_limit(limit.rlim_cur);
    print_limit(limit.rlim_max);
    printf("\n");
  }
  return 0;
}

int probe_umask(int count, char **args) {
  (void)count, (void)args;
  mode_t mask = umask(0);
  umask(mask);
  printf("umask: %04o\n", mask);
  return 0;
}

int probe_env(int count, char **args) {
  (void)count, (void)args;
  for (char **variable = environ; *variable; variable++) printf("%s\n", *variable);
  return 0;
}

int probe_args(int count, char **args) {
  for (int i = 0; i < count; i++) printf("%d: %s\n", i, args[i]);
  return 0;
}

int probe_cwd(int count, char **args) {
  (void)count, (void)args;
  char path[4096];
  // The system call, not the C library's: it shows "(unreachable)" as the kernel says it.
  if (syscall(SYS_getcwd, path, sizeof path) < 0) return refused("getcwd");
  printf("cwd: %s\n", path);
  return 0;
}

int probe_tty(int count, char **args) {
  (void)count, (void)args;
  for (int fd = 0; fd < 3; fd++) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size))
      printf("%d: no terminal\n", fd);
    else
      printf("%d: terminal of %u rows and %u columns\n", fd, size.ws_row, size.ws_col);
  }
  return 0;
}

int probe_host(int count, char **args) {
  (void)count, (void)args;
  struct utsname name;
  uname(&name);
  printf("name: %s\ndomain: %s\nkernel: %s\n", name.nodename, name.domainname, name.release);
  return 0;
}

int probe_descriptors(int count, char **args) {
  (void)count, (void)args;
  for (int fd = 0; fd < 4096; fd++) {
    struct stat info;
    if (fstat(fd, &info)) continue;
    char path[64], target[4096];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof target);
    printf("%d: mode %06o device %u:%u %.*s\n", fd, info.st_mode, major(info.st_rdev), minor(info.st_rdev),
           length > 0 ? (int)length : 0, target);
  }
  return 0;
}
