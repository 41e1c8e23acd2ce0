/* Steps on the host, as the keeper sees it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keeper.h"
#include "names.h"
#include "relay.h"

/* Kernel groups that are being emptied answer EBUSY for a moment; this is how long that may last. */
#define BUSY_TRIES 2000
#define BUSY_WAIT_NS 500000
/* A killed process can take its time in the kernel (a slow disk). */
#define KILL_SECONDS 10

int write_once(int fd, const void *bytes, size_t size) {
  ssize_t wrote = write(fd, bytes, size);
  return wrote < 0 ? errno : wrote == (ssize_t)size ? 0 : EIO;
}

int write_file(int at, const char *path, const void *bytes, size_t size) {
  int fd = openat(at, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = write_once(fd, bytes, size);
  close(fd);
  return error;
}

static int fill_slot(struct keeper *k, uint64_t slot, int fd) {
  if (fd < 0) return errno;
  k->slots[slot] = fd;
  return 0;
}

int step_make_directory(struct keeper *k, const struct argument *a) {
  (void)k;
  const char *path = a[MAKE_DIRECTORY_PATH].bytes;
  int error = error_of(mkdir(path, (mode_t)a[MAKE_DIRECTORY_MODE].number));
  /* Where one may be there already, something else may not. */
  struct stat status;
  return error == EEXIST && lstat(path, &status) == 0 && !S_ISDIR(status.st_mode) ? ENOTDIR : error;
}

int step_create_file(struct keeper *k, const struct argument *a) {
  (void)k;
  int fd = open(a[CREATE_FILE_PATH].bytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return errno;
  int error = write_all(fd, a[CREATE_FILE_CONTENT].bytes, a[CREATE_FILE_CONTENT].length);
  if (error == 0) error = error_of(fchmod(fd, (mode_t)a[CREATE_FILE_MODE].number));
  close(fd);
  return error;
}

int step_write(struct keeper *k, const struct argument *a) {
  (void)k;
  return write_file(AT_FDCWD, a[WRITE_PATH].bytes, a[WRITE_CONTENT].bytes, a[WRITE_CONTENT].length);
}

int step_remove_directory(struct keeper *k, const struct argument *a) {
  (void)k;
  for (int tries = 0;; tries++) {
    if (rmdir(a[REMOVE_DIRECTORY_PATH].bytes) == 0) return 0;
    if (errno != EBUSY || tries == BUSY_TRIES) return errno;
    nanosleep(&(struct timespec){.tv_nsec = BUSY_WAIT_NS}, NULL);
  }
}

int step_remove_file(struct keeper *k, const struct argument *a) {
  (void)k;
  return error_of(unlink(a[REMOVE_FILE_PATH].bytes));
}

int step_open_tree(struct keeper *k, const struct argument *a) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (a[OPEN_TREE_RECURSIVE].number != 0 ? AT_RECURSIVE : 0U);
  return fill_slot(k, a[OPEN_TREE_SLOT].number, (int)syscall(SYS_open_tree, AT_FDCWD, a[OPEN_TREE_PATH].bytes, flags));
}

int step_join_namespace(struct keeper *k, const struct argument *a) {
  (void)k;
  int fd = open(a[JOIN_NAMESPACE_PATH].bytes, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = error_of(setns(fd, (int)a[JOIN_NAMESPACE_KIND].number));
  close(fd);
  return error;
}

int step_open_directory(struct keeper *k, const struct argument *a) {
  int fd = open(a[OPEN_DIRECTORY_PATH].bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fill_slot(k, a[OPEN_DIRECTORY_SLOT].number, fd);
}

uint64_t start_time(pid_t pid) {
  char path[32], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size <= 0) return 0;
  text[size] = 0;
  /* The name may hold anything, also brackets: the fields are counted behind its last one (man 5 proc, field 22). */
  char *at = strrchr(text, ')');
  for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
  return at == NULL ? 0 : strtoull(at, NULL, 10);
}

int step_open_process(struct keeper *k, const struct argument *a) {
  pid_t pid = (pid_t)a[OPEN_PROCESS_PID].number;
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return errno;
  /* The pid may have been given to another process since: the time is looked at with the descriptor in hand. */
  uint64_t asked = a[OPEN_PROCESS_START_TIME].number;
  if (asked != 0 && start_time(pid) != asked) {
    close(fd);
    return ESRCH;
  }
  return fill_slot(k, a[OPEN_PROCESS_SLOT].number, fd);
}

int step_join_process(struct keeper *k, const struct argument *a) {
  return error_of(setns(k->slots[a[JOIN_PROCESS_SLOT].number], (int)a[JOIN_PROCESS_KINDS].number));
}

static _Noreturn void run_child(struct keeper *k, int sync) {
  close(k->sync);
  k->sync = sync;
  /* The daemon hears of the keeper's end by this, also when the child does not go with it at once. */
  if (k->daemon >= 0) close(k->daemon);
  k->daemon = -1;
  k->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  /* A session and a process group of its own: kill(0, …) reaches the whole group, whatever pid namespace it is called
   * from, and the keeper was in it. */
  setsid();
  for (int stream = 0; stream < STREAM_COUNT; stream++)
    if (k->given[stream] >= 0) dup2(k->given[stream], stream);
  uint32_t at;
  int error = run_lane(k, LANE_INSIDE, &at);
  if (error != 0) {
    struct sync_message message = {.kind = SYNC_FAILED, .index = at, .error = error};
    (void)sync_send(k->sync, message, NULL, 0, -1);
  }
  _exit(error != 0 ? 127 : 0);
}

int step_clone(struct keeper *k, const struct argument *a) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return errno;
  uint64_t cgroup = a[CLONE_CGROUP].number;
  struct clone_args arguments = {
      .flags = CLONE_PIDFD | a[CLONE_NAMESPACES].number | (cgroup != UINT64_MAX ? CLONE_INTO_CGROUP : 0U),
      .pidfd = (uint64_t)(uintptr_t)&k->pidfd,
      .exit_signal = SIGCHLD,
      .cgroup = cgroup != UINT64_MAX ? (unsigned)k->slots[cgroup] : 0,
  };
  k->sync = pair[0];
  pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) run_child(k, pair[1]);
  int error = error_of(child);
  close(pair[1]);
  if (error != 0) return error;
  k->child = child;
  k->child_start = start_time(child);
  for (int stream = 0; stream < STREAM_COUNT; stream++)
    if (k->given[stream] >= 0) {
      close(k->given[stream]);
      k->given[stream] = -1;
    }
  return 0;
}

/* Who joins a pid namespace is not in it, only its children are: so the rest of the lane is a child's, whose parent is the
 * keeper. It is born with nothing of the host's, neither descriptors nor directories: in the container it can be seen at
 * once, and by who may trace everybody (SYS_PTRACE), into. */
int step_enter(struct keeper *k, const struct argument *a) {
  (void)a;
  unsigned sync = (unsigned)k->sync;
  if (sync > 3) syscall(SYS_close_range, 3U, sync - 1, 0U);
  syscall(SYS_close_range, sync + 1, ~0U, 0U);
  int pidfd = -1;
  long child = syscall(SYS_clone, (long)(CLONE_PARENT | CLONE_PIDFD | SIGCHLD), NULL, &pidfd, NULL, NULL);
  if (child < 0) return errno;
  if (child == 0) {
    k->proc = -1;
    setsid();
    return 0;
  }
  struct sync_message message = {.kind = SYNC_CHILD, .index = (uint32_t)child};
  _exit(sync_send(k->sync, message, NULL, 0, pidfd) == 0 ? 0 : 127);
}

int step_mount(struct keeper *k, const struct argument *a) {
  (void)k;
  if (a[MOUNT_AT].length > 0 && chdir(a[MOUNT_AT].bytes) != 0) return errno;
  int error = error_of(mount(a[MOUNT_SOURCE].bytes, a[MOUNT_TARGET].bytes, a[MOUNT_TYPE].bytes, a[MOUNT_FLAGS].number,
                             a[MOUNT_DATA].bytes));
  /* Whoever works in a directory keeps its file system busy. */
  if (a[MOUNT_AT].length > 0 && chdir("/") != 0 && error == 0) error = errno;
  return error;
}

int step_unmount(struct keeper *k, const struct argument *a) {
  (void)k;
  return error_of(umount2(a[UNMOUNT_PATH].bytes, (int)a[UNMOUNT_FLAGS].number));
}

int step_set_propagation(struct keeper *k, const struct argument *a) {
  (void)k;
  return error_of(mount(NULL, a[SET_PROPAGATION_PATH].bytes, NULL, a[SET_PROPAGATION_FLAGS].number, NULL));
}

/* A child that is not there any more has said what it died of: that is the failure, not that it does not listen. */
int step_release(struct keeper *k, const struct argument *a) {
  int error = sync_release(k, (uint32_t)a[RELEASE_POINT].number);
  return error == EPIPE ? sync_await(k, POINT_START) : error;
}

int step_await(struct keeper *k, const struct argument *a) { return sync_await(k, (uint32_t)a[AWAIT_POINT].number); }

int step_bind_port(struct keeper *k, const struct argument *a) {
  int protocol = (int)a[BIND_PORT_PROTOCOL].number;
  bool stream = protocol != IPPROTO_UDP;
  union endpoint address;
  if (!endpoint_set(&address, a[BIND_PORT_ADDRESS].bytes, a[BIND_PORT_ADDRESS].length, (uint16_t)a[BIND_PORT_PORT].number))
    return EAFNOSUPPORT;
  int family = address.any.sa_family;
  int fd = socket(family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return errno;
  /* For a stream this only passes over connections that are being forgotten (TIME_WAIT); for datagrams it would allow
   * two owners. */
  if (stream) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  /* The same port of IPv4 is another one's, or ours by another socket. */
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
  if (bind(fd, &address.any, sizeof address) != 0 || (stream && listen(fd, SOMAXCONN) != 0)) {
    int error = errno;
    close(fd);
    return error;
  }
  return fill_slot(k, a[BIND_PORT_SLOT].number, fd);
}

int step_relay(struct keeper *k, const struct argument *a) {
  union endpoint target;
  if (!endpoint_set(&target, a[RELAY_ADDRESS].bytes, a[RELAY_ADDRESS].length, (uint16_t)a[RELAY_PORT].number))
    return EAFNOSUPPORT;
  return relay_open(&k->loop, k->slots[a[RELAY_SLOT].number], (int)a[RELAY_PROTOCOL].number, target);
}

/* The loopback interface must be up: as long as it is down, its addresses are nobody's. */
static int bind_inside(int type, struct sockaddr_in address) {
  struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (ioctl(fd, SIOCSIFFLAGS, &loopback) == 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      (type != SOCK_STREAM || listen(fd, SOMAXCONN) == 0))
    return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int step_answer_names(struct keeper *k, const struct argument *a) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)a[ANSWER_NAMES_PORT].number)};
  address.sin_addr.s_addr = htonl(0x7f00000b);
  int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) return errno;
  int error = error_of(setns(k->pidfd, CLONE_NEWNET));
  if (error == 0) {
    error = fill_slot(k, a[ANSWER_NAMES_DATAGRAMS].number, bind_inside(SOCK_DGRAM, address));
    if (error == 0) error = fill_slot(k, a[ANSWER_NAMES_STREAMS].number, bind_inside(SOCK_STREAM, address));
    if (setns(home, CLONE_NEWNET) != 0) abort(); /* the keeper must not stay in there */
  }
  close(home);
  if (error != 0) return error;
  return names_open(k, k->slots[a[ANSWER_NAMES_DATAGRAMS].number], k->slots[a[ANSWER_NAMES_STREAMS].number],
                    a[ANSWER_NAMES_TABLE].bytes);
}

/* v2 kills a whole cgroup at one word, and tells when it is empty (POLLPRI on cgroup.events). */
int step_kill_cgroup(struct keeper *k, const struct argument *a) {
  (void)k;
  int directory = open(a[KILL_CGROUP_PATH].bytes, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return errno;
  int error = write_file(directory, "cgroup.kill", "1", 1);
  int events = error == 0 ? openat(directory, "cgroup.events", O_RDONLY | O_CLOEXEC) : -1;
  close(directory);
  if (events < 0) return error != 0 ? error : errno;
  error = EBUSY;
  for (int tries = 0; tries < KILL_SECONDS; tries++) {
    char text[256];
    ssize_t size = pread(events, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = 0;
    if (strstr(text, "populated 0") != NULL) {
      error = 0;
      break;
    }
    poll(&(struct pollfd){.fd = events, .events = POLLPRI}, 1, 1000);
  }
  close(events);
  return error;
}

int step_report_file(struct keeper *k, const struct argument *a) {
  int fd = open(a[REPORT_FILE_PATH].bytes, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  ssize_t size = read(fd, k->report + k->report_length, REPORT_SIZE - k->report_length);
  int error = error_of(size);
  if (size > 0) k->report_length += (size_t)size;
  close(fd);
  return error;
}

int step_log_to(struct keeper *k, const struct argument *a) {
  return log_open(&k->log, a[LOG_TO_PATH].bytes, a[LOG_TO_MAX_SIZE].number, (unsigned)a[LOG_TO_MAX_FILES].number);
}

int step_log_attributes(struct keeper *k, const struct argument *a) {
  k->log.attributes = a[LOG_ATTRIBUTES_ATTRIBUTES].bytes;
  /* Each record must find room in the buffer. */
  return a[LOG_ATTRIBUTES_ATTRIBUTES].length > LOG_ATTRIBUTES_LIMIT ? E2BIG : 0;
}

int step_listen(struct keeper *k, const struct argument *a) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (a[LISTEN_PATH].length >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, a[LISTEN_PATH].bytes, a[LISTEN_PATH].length);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  mode_t old = umask(0177);
  int error = error_of(bind(fd, (struct sockaddr *)&address, sizeof address));
  umask(old);
  if (error == 0) error = error_of(listen(fd, SOMAXCONN));
  if (error != 0) close(fd);
  else k->control = fd;
  return error;
}

int step_exit_to(struct keeper *k, const struct argument *a) {
  k->exit_path = a[EXIT_TO_PATH].bytes;
  return 0;
}

static int open_pipe(struct keeper *k, int stream) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  bool in = stream == STREAM_IN;
  k->own[stream] = ends[in ? 1 : 0];
  k->given[stream] = ends[in ? 0 : 1];
  return error_of(fcntl(k->own[stream], F_SETFL, O_NONBLOCK));
}

static int open_null(struct keeper *k, int stream) {
  k->given[stream] = open("/dev/null", O_RDWR | O_CLOEXEC);
  return error_of(k->given[stream]);
}

int step_stdio(struct keeper *k, const struct argument *a) {
  k->stdio_kind = (int)a[STDIO_KIND].number;
  k->stdin_kind = (int)a[STDIO_STDIN].number;
  if (k->stdio_kind == STDIO_TERMINAL) return 0;
  for (int stream = 0; stream < STREAM_COUNT; stream++) {
    bool piped = k->stdio_kind == STDIO_PIPES && (stream != STREAM_IN || k->stdin_kind != STDIN_NONE);
    int error = piped ? open_pipe(k, stream) : open_null(k, stream);
    if (error != 0) return error;
  }
  return 0;
}
