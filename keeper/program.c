/* Programs of the host's that make containers in our stead (runc, crun), and the processes that they leave to us. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper.h"

/* Who brings a terminal has done so before its program ended; this is for the kernel. */
#define TERMINAL_PATIENCE_MS 1000

/* Those that this process watches by itself are passed over, and nobody is taken note of while the inside lane goes on: it
 * may name one of them yet. */
void reap_orphans(struct keeper *k) {
  siginfo_t info = {0};
  while (k->sync < 0 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    if (info.si_pid == 0 || info.si_pid == k->child || is_packer(info.si_pid)) return;
    waitpid(info.si_pid, NULL, 0);
    info.si_pid = 0;
  }
}

static void on_orphan(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)events;
  struct signalfd_siginfo news[16];
  if (read(fd, news, sizeof news) > 0) reap_orphans(data);
}

int step_adopt_orphans(struct keeper *k, const struct argument *a) {
  (void)a;
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return errno;
  int fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return errno;
  k->adopts = true;
  return error_of(loop_add(&k->loop, fd, EPOLLIN, on_orphan, k));
}

/* False where the kernel does not list them (CONFIG_PROC_CHILDREN). */
static bool kill_children(void) {
  FILE *list = fopen("/proc/thread-self/children", "re");
  int pid;
  if (list == NULL) return false;
  while (fscanf(list, "%d", &pid) == 1) kill(pid, SIGKILL);
  fclose(list);
  return true;
}

void end_children(void) {
  /* Each that goes may leave us others. */
  while (waitpid(-1, NULL, kill_children() ? 0 : WNOHANG) > 0) {
  }
}

/* It does not outlive who runs it: what it was about to make would be nobody's. */
static _Noreturn void become_program(const struct argument *a, char **args, char **env, pid_t parent, int report) {
  sigset_t none;
  sigemptyset(&none);
  umask(022);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent) {
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(a[RUN_PROGRAM_PROGRAM].bytes, args, env);
  }
  int error = errno;
  (void)write_once(report, &error, sizeof error);
  _exit(127);
}

static int wait_for(pid_t program, int report) {
  int error = 0, status;
  pid_t ended;
  ssize_t said;
  do said = read(report, &error, sizeof error);
  while (said < 0 && errno == EINTR);
  do ended = waitpid(program, &status, 0);
  while (ended < 0 && errno == EINTR);
  if (said == sizeof error) return error;
  if (ended < 0) return errno;
  return status == 0 ? 0 : EREMOTEIO;
}

int step_run_program(struct keeper *k, const struct argument *a) {
  (void)k;
  int report[2];
  char **args = plan_texts(&a[RUN_PROGRAM_ARGS]), **env = plan_texts(&a[RUN_PROGRAM_ENV]);
  int error = args == NULL || env == NULL ? ENOMEM : 0;
  if (error == 0) error = error_of(pipe2(report, O_CLOEXEC));
  if (error == 0) {
    pid_t parent = getpid(), program = fork();
    if (program == 0) become_program(a, args, env, parent, report[1]);
    error = error_of(program);
    close(report[1]);
    if (error == 0) error = wait_for(program, report[0]);
    close(report[0]);
  }
  free(args);
  free(env);
  return error;
}

int step_listen_terminal(struct keeper *k, const struct argument *a) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (a[LISTEN_TERMINAL_PATH].length >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, a[LISTEN_TERMINAL_PATH].bytes, a[LISTEN_TERMINAL_PATH].length);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  mode_t old = umask(0177);
  int error = error_of(bind(fd, (struct sockaddr *)&address, sizeof address));
  umask(old);
  if (error == 0) error = error_of(listen(fd, 1));
  if (error != 0) close(fd);
  else k->slots[a[LISTEN_TERMINAL_SLOT].number] = fd;
  return error;
}

static bool is_terminal(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(5, 2);
}

/* The first descriptor that comes by the connection; -1 when none does. */
static int receive_descriptor(int connection) {
  char text[256];
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec part = {text, sizeof text};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
  int fd = -1;
  if (recvmsg(connection, &header, MSG_CMSG_CLOEXEC) < 0) return -1;
  struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
  if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
    memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  return fd;
}

static bool is_ready(int fd) {
  return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, TERMINAL_PATIENCE_MS) > 0;
}

static int pass_terminal(const struct keeper *k, int listening) {
  int connection = is_ready(listening) ? accept4(listening, NULL, NULL, SOCK_CLOEXEC) : -1;
  int terminal = connection >= 0 && is_ready(connection) ? receive_descriptor(connection) : -1;
  if (connection >= 0) close(connection);
  if (terminal < 0) return ENXIO;
  int error = is_terminal(terminal) ? sync_send(k->sync, (struct sync_message){.kind = SYNC_TERMINAL}, NULL, 0, terminal)
                                    : ENXIO;
  close(terminal);
  return error;
}

/* 0 for what is no number of a process. */
static pid_t read_pid(const char *path) {
  char text[32];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[size > 0 ? size : 0] = 0;
  long pid = strtol(text, NULL, 10);
  return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

int step_adopt(struct keeper *k, const struct argument *a) {
  uint64_t slot = a[ADOPT_TERMINAL].number;
  pid_t pid = read_pid(a[ADOPT_PID_FILE].bytes);
  if (pid == 0) return ESRCH;
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0) return errno;
  int error = slot == UINT64_MAX ? 0 : pass_terminal(k, k->slots[slot]);
  struct sync_message message = {.kind = SYNC_ADOPTED, .index = (uint32_t)pid};
  if (error == 0) error = sync_send(k->sync, message, NULL, 0, pidfd);
  close(pidfd);
  return error;
}
