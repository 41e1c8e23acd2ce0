/* From the end of the outside lane until the keeper may leave: the child, the daemon's connections, the streams. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keeper.h"

#define REQUEST_PAYLOAD 16U
#define ACCEPT_PAUSE_MS 100
#define TRACED_PAUSE_MS 100
/* How long a start may take once its container has ended. */
#define HELPER_PATIENCE_MS 10000

/* A connection of a daemon: requests come in, answers and news go out. */
struct connection {
  struct connection *next;
  int fd;
  size_t have;
  struct {
    uint32_t type, size;
    uint32_t payload[REQUEST_PAYLOAD / 4];
  } request;
};

static struct connection *connections;

static loop_callback on_connection, on_sync;

struct keeper *keeper_of(struct loop *loop) { return (struct keeper *)((char *)loop - offsetof(struct keeper, loop)); }

static bool connection_open(struct keeper *k, int fd) {
  struct connection *c = calloc(1, sizeof *c);
  if (c == NULL || loop_add(&k->loop, fd, EPOLLIN, on_connection, c) != 0) {
    free(c);
    return false;
  }
  c->fd = fd;
  c->next = connections;
  connections = c;
  return true;
}

/* Takes the connection off the list; its descriptor stays open. */
static void connection_free(struct keeper *k, struct connection *c) {
  for (struct connection **at = &connections; *at != NULL; at = &(*at)->next)
    if (*at == c) {
      *at = c->next;
      break;
    }
  loop_remove(&k->loop, c->fd);
  if (c->fd == k->daemon) k->daemon = -1;
  free(c);
}

static void broadcast(const struct keeper *k, uint32_t type, const void *payload, size_t size) {
  for (struct connection *c = connections; c != NULL; c = c->next) say_to(k, c->fd, type, payload, size);
}

void undo(struct keeper *k) {
  if (k->adopts) {
    end_children();
  } else if (k->child > 0) {
    kill(k->child, SIGKILL);
    waitpid(k->child, NULL, 0);
  }
  run_after(k);
  exit(EXIT_FAILURE);
}

void give_up(struct keeper *k, int error) {
  say_failed(k, LANE_OUTSIDE, UINT32_MAX, error);
  undo(k);
}

/* The exit file has the same bytes as the message: whichever of the two a daemon meets tells it the same. */
static void write_exit(const struct keeper *k, const void *bytes, size_t size) {
  char temporary[4096];
  if (k->exit_path == NULL) return;
  int length = snprintf(temporary, sizeof temporary, "%s.new", k->exit_path);
  if (length < 0 || (size_t)length >= sizeof temporary) return;
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  int error = write_all(fd, bytes, size);
  close(fd);
  if (error == 0) rename(temporary, k->exit_path);
}

static void tell_exit(struct keeper *k, int status, uint32_t left) {
  struct {
    int32_t status;
    uint32_t left;
    uint64_t time;
    char report[REPORT_SIZE];
  } payload = {.status = status, .left = left};
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  payload.time = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
  memcpy(payload.report, k->report, k->report_length);
  size_t size = offsetof(__typeof__(payload), report) + k->report_length;
  write_exit(k, &payload, size);
  broadcast(k, SAY_EXITED, &payload, size);
}

void finish(struct keeper *k) {
  if (k->phase == PHASE_EXITED && !streams_busy()) loop_stop(&k->loop);
}

/* What the child said last is heard before its end is told, in whichever order the loop met the two. Where somebody else
 * has started it, that one's word is waited for: it says whether the child began at all. */
static void hear_last_words(struct keeper *k) {
  while (k->sync >= 0) {
    bool waits = k->helper > 0 && k->released;
    int ready = poll(&(struct pollfd){.fd = k->sync, .events = POLLIN}, 1, waits ? HELPER_PATIENCE_MS : 0);
    if (ready > 0) on_sync(&k->loop, k->sync, POLLIN, k);
    else if (ready == 0 && waits) kill(k->helper, SIGKILL);
    else if (ready == 0 || errno != EINTR) break;
  }
}

void tell_memory(struct keeper *k) {
  for (struct connection *c = connections; c != NULL; c = c->next) memory_tell(k, c->fd);
}

static void look_again(struct loop *loop, void *data) {
  const struct keeper *k = data;
  loop_change(loop, k->pidfd, EPOLLIN);
}

static void on_child(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)events;
  struct keeper *k = data;
  int status = 0;
  hear_last_words(k);
  if (fd != k->pidfd) return;
  pid_t ended = waitpid(k->child, &status, WNOHANG);
  if (ended == 0) {
    /* A process that is traced is its tracer's until that one has taken note or gone (ptrace(2)): another process of the
     * container can have us wait, but not stand still. */
    static struct loop_timer pause;
    loop_change(loop, fd, 0);
    loop_timer_set(loop, &pause, TRACED_PAUSE_MS, look_again, k);
  }
  if (ended != k->child) return;
  if (memory_look(k)) tell_memory(k);
  memory_forget(k);
  loop_remove(loop, fd);
  k->child = 0;
  uint32_t left = run_after(k);
  /* Before anybody hears of the end: whoever does may want them next. */
  free_ports(k);
  streams_drain(k);
  k->phase = PHASE_EXITED;
  tell_exit(k, status, left);
  finish(k);
}

static void started(struct keeper *k) {
  loop_remove(&k->loop, k->sync);
  close(k->sync);
  k->sync = -1;
  if (k->phase != PHASE_CREATED) return;
  k->phase = PHASE_RUNNING;
  broadcast(k, SAY_STARTED, NULL, 0);
}

static void reached_start(struct keeper *k) {
  struct {
    uint32_t pid, zero;
    uint64_t start;
  } payload = {(uint32_t)k->child, 0, k->child_start};
  k->phase = PHASE_CREATED;
  broadcast(k, SAY_CREATED, &payload, sizeof payload);
}

/* Another process is the child from now on. */
static void watch_child(struct keeper *k, pid_t child, int pidfd) {
  k->child = child;
  k->child_start = start_time(child);
  k->pidfd = pidfd;
  if (loop_add(&k->loop, pidfd, EPOLLIN, on_child, k) != 0) give_up(k, errno);
}

static void forget_child(struct keeper *k) {
  loop_remove(&k->loop, k->pidfd);
  close(k->pidfd);
  k->pidfd = -1;
}

/* The child has gone into the container's pid namespace as another process, which is the keeper's too. */
static void replace_child(struct keeper *k, pid_t child, int pidfd) {
  forget_child(k);
  waitpid(k->child, NULL, 0);
  watch_child(k, child, pidfd);
}

/* A runtime has made the child, and left it to us; who had the runtime do so goes on with the lane. */
static void adopt(struct keeper *k, pid_t child, int pidfd) {
  siginfo_t info;
  if (pidfd < 0) give_up(k, EMFILE);
  if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0) give_up(k, errno);
  forget_child(k);
  k->helper = k->child;
  watch_child(k, child, pidfd);
}

/* Nobody is left in the inside lane. A helper that did not come to its end has not started the child. */
static void lane_ended(struct keeper *k) {
  int status = 0;
  if (k->helper > 0) waitpid(k->helper, &status, 0);
  k->helper = 0;
  if (status != 0 && k->phase < PHASE_RUNNING) give_up(k, ECHILD);
  started(k);
  if (k->adopts) reap_orphans(k);
}

static void on_sync(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)events;
  static char bytes[65536];
  struct keeper *k = data;
  struct sync_message message;
  int passed;
  ssize_t size = sync_receive(fd, &message, bytes, sizeof bytes, &passed);
  /* The end: the socket closed itself in a successful exec, or the child is gone, which its own descriptor tells. */
  if (size < 0) {
    lane_ended(k);
  } else if (sync_absorb(k, &message, bytes, (size_t)size, passed)) {
    return;
  } else if (message.kind == SYNC_CHILD) {
    replace_child(k, (pid_t)message.index, passed);
  } else if (message.kind == SYNC_ADOPTED) {
    adopt(k, (pid_t)message.index, passed);
  } else if (message.kind == SYNC_FAILED) {
    say_failed(k, LANE_INSIDE, message.index, message.error);
    undo(k);
  } else if (message.kind == SYNC_POINT && message.index == POINT_START) {
    reached_start(k);
  }
}

static int answer(struct keeper *k, const struct connection *c) {
  const uint32_t *payload = c->request.payload;
  if (c->request.type == ASK_SIGNAL && c->request.size == 4) {
    if (k->child == 0) return ESRCH;
    return syscall(SYS_pidfd_send_signal, k->pidfd, payload[0], NULL, 0) < 0 ? errno : 0;
  }
  if (c->request.type == ASK_RESIZE && c->request.size == 8) {
    struct winsize size = {.ws_row = (unsigned short)payload[0], .ws_col = (unsigned short)payload[1]};
    if (k->stdio_kind != STDIO_TERMINAL || k->own[STREAM_IN] < 0) return ENOTTY;
    return ioctl(k->own[STREAM_IN], TIOCSWINSZ, &size) < 0 ? errno : 0;
  }
  return EPROTO;
}

static void attach(struct keeper *k, struct connection *c) {
  int fd = c->fd;
  uint32_t flags = c->request.payload[0];
  connection_free(k, c);
  say_to(k, fd, SAY_ATTACHED, NULL, 0);
  stream_attach(k, fd, flags);
}

/* A child that does not listen any more has ended, or is about to: that is told when it has. */
static void release(struct keeper *k) {
  int error = sync_release(k, POINT_START);
  if (error != 0 && error != EPIPE) give_up(k, error);
  k->released = error == 0;
}

static void serve(struct keeper *k, struct connection *c) {
  if (c->request.type == ASK_START) {
    if (k->phase == PHASE_CREATED && k->sync >= 0 && !k->released) release(k);
  } else if (c->request.type == ASK_ATTACH && c->request.size == 4 && c->fd != k->daemon) {
    attach(k, c);
  } else {
    struct {
      int32_t error;
      uint32_t step;
    } payload = {0};
    payload.error = c->request.type == ASK_CHANGE && c->request.size == 0 ? change(k, &payload.step) : answer(k, c);
    say_to(k, c->fd, SAY_ANSWER, &payload, sizeof payload);
  }
}

/* The daemon that began this has gone before it said start: nothing of the container may be left. */
static void lost(struct keeper *k, struct connection *c) {
  bool owner = c->fd == k->daemon;
  int fd = c->fd;
  connection_free(k, c);
  close(fd);
  if (owner && k->phase < PHASE_RUNNING && !k->released && k->sync >= 0) undo(k);
  if (owner && k->stays) loop_stop(&k->loop);
}

static void on_connection(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)events;
  struct connection *c = data;
  struct keeper *k = keeper_of(loop);
  size_t head = 2 * sizeof(uint32_t);
  size_t wanted = c->have < head ? head : head + c->request.size;
  ssize_t size = recv(fd, (char *)&c->request + c->have, wanted - c->have, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size > 0) c->have += (size_t)size;
  if (size <= 0 || (c->have >= head && c->request.size > REQUEST_PAYLOAD)) {
    lost(k, c);
  } else if (c->have >= head && c->have == head + c->request.size) {
    c->have = 0;
    serve(k, c);
  }
}

static bool is_root(int fd) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static void accept_again(struct loop *loop, void *data) {
  const struct keeper *k = data;
  loop_change(loop, k->control, EPOLLIN);
}

static void on_control(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)events;
  struct keeper *k = data;
  int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted < 0) {
    /* Out of descriptors: who waits to be accepted would wake the loop for ever. */
    static struct loop_timer pause;
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    loop_change(loop, fd, 0);
    loop_timer_set(loop, &pause, ACCEPT_PAUSE_MS, accept_again, k);
    return;
  }
  if (!is_root(accepted) || !connection_open(k, accepted)) {
    close(accepted);
    return;
  }
  struct {
    uint32_t version, phase, pid, zero;
    uint64_t start;
  } hello = {PROTOCOL_VERSION, k->phase, (uint32_t)k->child, 0, k->child_start};
  say_to(k, accepted, SAY_HELLO, &hello, sizeof hello);
  memory_tell(k, accepted);
}

void watch(struct keeper *k) {
  hold_sockets(k);
  if (k->daemon >= 0 && !connection_open(k, k->daemon)) undo(k);
  if (k->control >= 0 && loop_add(&k->loop, k->control, EPOLLIN, on_control, k) != 0) give_up(k, errno);
  if (k->stays) {
    k->phase = PHASE_RUNNING;
    broadcast(k, SAY_STARTED, NULL, 0);
    loop_run(&k->loop);
    return;
  }
  if (k->child == 0) {
    tell_exit(k, 0, run_after(k));
    return;
  }
  int error = error_of(loop_add(&k->loop, k->sync, EPOLLIN, on_sync, k));
  if (error == 0) error = error_of(loop_add(&k->loop, k->pidfd, EPOLLIN, on_child, k));
  if (error == 0) error = streams_open(k);
  if (error != 0) give_up(k, error);
  loop_run(&k->loop);
}
