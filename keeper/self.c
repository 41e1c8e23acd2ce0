/* Steps that the child takes on itself, the last ones before the program. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "keeper.h"

static bool is_null_device(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

int step_die_with_parent(struct keeper *k, const struct argument *a) {
  (void)k, (void)a;
  return error_of(prctl(PR_SET_PDEATHSIG, SIGKILL));
}

int step_not_dumpable(struct keeper *k, const struct argument *a) {
  (void)k, (void)a;
  return error_of(prctl(PR_SET_DUMPABLE, 0));
}

int step_new_keyring(struct keeper *k, const struct argument *a) {
  (void)k;
  return error_of(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, a[NEW_KEYRING_NAME].bytes));
}

int step_unshare(struct keeper *k, const struct argument *a) {
  (void)k;
  return error_of(unshare((int)a[UNSHARE_NAMESPACES].number));
}

int step_set_hostname(struct keeper *k, const struct argument *a) {
  (void)k;
  return error_of(sethostname(a[SET_HOSTNAME_NAME].bytes, a[SET_HOSTNAME_NAME].length));
}

int step_set_domainname(struct keeper *k, const struct argument *a) {
  (void)k;
  return error_of(setdomainname(a[SET_DOMAINNAME_NAME].bytes, a[SET_DOMAINNAME_NAME].length));
}

int step_set_rlimit(struct keeper *k, const struct argument *a) {
  (void)k;
  struct rlimit limit = {.rlim_cur = a[SET_RLIMIT_SOFT].number, .rlim_max = a[SET_RLIMIT_HARD].number};
  return error_of(setrlimit((__rlimit_resource_t)a[SET_RLIMIT_RESOURCE].number, &limit));
}

int step_set_umask(struct keeper *k, const struct argument *a) {
  (void)k;
  umask((mode_t)a[SET_UMASK_MASK].number);
  return 0;
}

/* The place of AppArmor's own since Linux 5.8, beside those of other modules; before it, the one they all shared. */
int step_confine(struct keeper *k, const struct argument *a) {
  char word[PATH_MAX];
  int length = snprintf(word, sizeof word, "exec %s", a[CONFINE_PROFILE].bytes);
  if (length < 0 || (size_t)length >= sizeof word) return ENAMETOOLONG;
  uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  int fd = open_in_proc(k, "self/attr/apparmor/exec", O_WRONLY, resolve);
  if (fd < 0 && errno == ENOENT) fd = open_in_proc(k, "self/attr/exec", O_WRONLY, resolve);
  if (fd < 0) return errno;
  int error = write_once(fd, word, (size_t)length);
  close(fd);
  return error;
}

int step_no_new_privileges(struct keeper *k, const struct argument *a) {
  (void)k, (void)a;
  return error_of(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int step_load_seccomp(struct keeper *k, const struct argument *a) {
  (void)k;
  size_t count = a[LOAD_SECCOMP_FILTER].length / sizeof(struct sock_filter);
  if (count == 0 || count > 4096 || a[LOAD_SECCOMP_FILTER].length % sizeof(struct sock_filter) != 0) return EINVAL;
  void *filter;
  memcpy(&filter, &a[LOAD_SECCOMP_FILTER].bytes, sizeof filter);
  struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};
  return error_of(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, a[LOAD_SECCOMP_FLAGS].number, &program));
}

int step_change_directory(struct keeper *k, const struct argument *a) {
  (void)k;
  if (chdir(a[CHANGE_DIRECTORY_PATH].bytes) != 0) return errno;
  /* CVE-2024-21626: a path such as /proc/self/fd/7 may lead out of the root; the kernel then says "(unreachable)". */
  char path[4096];
  long size = syscall(SYS_getcwd, path, sizeof path);
  if (size < 0) return errno == ENOENT ? EXDEV : errno;
  return path[0] == '/' ? 0 : EXDEV;
}

int step_drop_bounding(struct keeper *k, const struct argument *a) {
  (void)k;
  int had;
  for (unsigned capability = 0; (had = prctl(PR_CAPBSET_READ, capability)) >= 0; capability++) {
    if (had == 0 || ((a[DROP_BOUNDING_KEEP].number >> capability) & 1U) != 0) continue;
    if (prctl(PR_CAPBSET_DROP, capability) != 0) return errno;
  }
  return 0;
}

static int set_groups(const struct argument *groups) {
  gid_t *list = calloc(groups->number + 1, sizeof *list);
  if (list == NULL) return ENOMEM;
  for (size_t i = 0; i < groups->number; i++) list[i] = (gid_t)plan_number(groups, i);
  int error = error_of(setgroups(groups->number, list));
  free(list);
  return error;
}

int step_set_user(struct keeper *k, const struct argument *a) {
  (void)k;
  uid_t uid = (uid_t)a[SET_USER_UID].number;
  gid_t gid = (gid_t)a[SET_USER_GID].number;
  /* /dev/stdout must open for the new user too. A stream on a read-only or foreign file system keeps its owner. */
  for (int stream = 0; stream < STREAM_COUNT; stream++)
    if (!is_null_device(stream) && fchown(stream, uid, (gid_t)-1) != 0 && errno != EROFS && errno != EPERM && errno != EINVAL)
      return errno;
  int error = error_of(prctl(PR_SET_KEEPCAPS, 1));
  if (error == 0) error = set_groups(&a[SET_USER_GROUPS]);
  if (error == 0) error = error_of(setresgid(gid, gid, gid));
  if (error == 0) error = error_of(setresuid(uid, uid, uid));
  if (error == 0) error = error_of(prctl(PR_SET_KEEPCAPS, 0));
  return error;
}

int step_set_capabilities(struct keeper *k, const struct argument *a) {
  (void)k;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  for (unsigned half = 0; half < 2; half++) {
    data[half].effective = (uint32_t)(a[SET_CAPABILITIES_EFFECTIVE].number >> (32 * half));
    data[half].permitted = (uint32_t)(a[SET_CAPABILITIES_PERMITTED].number >> (32 * half));
    data[half].inheritable = (uint32_t)(a[SET_CAPABILITIES_INHERITABLE].number >> (32 * half));
  }
  if (syscall(SYS_capset, &header, data) != 0) return errno;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return errno;
  for (unsigned capability = 0; capability < 64; capability++)
    if (((a[SET_CAPABILITIES_AMBIENT].number >> capability) & 1U) != 0 &&
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
      return errno;
  return 0;
}

/* Like execvp's search: a candidate that exists but may not be run is remembered, and the next one tried. */
int step_find_program(struct keeper *k, const struct argument *a) {
  int error = ENOENT;
  const char *candidate = a[FIND_PROGRAM_CANDIDATES].bytes;
  for (uint64_t i = 0; i < a[FIND_PROGRAM_CANDIDATES].number; i++, candidate += strlen(candidate) + 1) {
    struct stat status;
    if (stat(candidate, &status) != 0) {
      if (errno == EACCES) error = EACCES;
      continue;
    }
    if (!S_ISREG(status.st_mode) || faccessat(AT_FDCWD, candidate, X_OK, AT_EACCESS) != 0) {
      error = S_ISDIR(status.st_mode) ? EISDIR : EACCES;
      continue;
    }
    k->program = candidate;
    return 0;
  }
  return error;
}

int step_start(struct keeper *k, const struct argument *a) {
  (void)a;
  int error = sync_release(k, POINT_START);
  uint32_t answer[3];
  if (error == 0 && read(k->sync, answer, sizeof answer) != (ssize_t)sizeof answer) error = ECANCELED;
  return error;
}

/* A seccomp profile that is older than the call refuses it. Ours are few and low: the keeper began with four. */
static void close_between(unsigned first, unsigned last) {
  if (syscall(SYS_close_range, first, last, 0U) == 0) return;
  for (unsigned fd = first; fd <= last && fd < 2U * SLOT_LIMIT; fd++) close((int)fd);
}

int step_close_descriptors(struct keeper *k, const struct argument *a) {
  (void)a;
  unsigned sync = (unsigned)k->sync;
  for (int stream = 0; stream < STREAM_COUNT; stream++) {
    if (!is_null_device(stream)) continue;
    /* The host's null device would keep the host's mount alive inside. */
    int own = open_in_root(k, "/dev/null", O_RDWR);
    if (own < 0) continue;
    if (is_null_device(own)) dup2(own, stream);
    close(own);
  }
  /* The one that is left, to tell a failing exec, closes itself in a successful one. */
  if (sync > 3) close_between(3, sync - 1);
  close_between(sync + 1, ~0U);
  return 0;
}

int step_exec(struct keeper *k, const struct argument *a) {
  char **args = plan_texts(&a[EXEC_ARGS]);
  char **env = plan_texts(&a[EXEC_ENV]);
  if (args == NULL || env == NULL) return ENOMEM;
  if (a[EXEC_INIT].number != 0) {
    int error = become_init(k);
    if (error != 0) return error;
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(k->program, args, env);
  return errno;
}
