/* The keeper's life behind its plan: daemons, clients, a container and its child say anything in any order and any
 * pieces. The keeper answers or hangs up, forgets nobody, and when everybody is gone it has no descriptor left of them. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The keeper leaves when a daemon is lost before the start: that is the end of one run, not of all of them. And it waits
 * for its daemon to read: that is done here, by whom else. */
static _Noreturn void leave(int status);
static int await(struct pollfd *fds, nfds_t count, int timeout);
/* Whoever is said to be the container is anybody: nobody is signalled. */
static int spare(pid_t pid, int signal) {
  (void)pid, (void)signal;
  return 0;
}

#define exit leave
#define poll await
#define kill spare
#define syscall(number, descriptor, signal, ...) spare(descriptor, (int)(signal))

#include "../../keeper/loop.c"
#include "../../keeper/output.c"
#include "../../keeper/say.c"
#include "../../keeper/watch.c"

#undef poll
#undef kill
#undef syscall

#include "fuzz.h"

uint32_t run_after(struct keeper *k) {
  (void)k;
  return 0;
}

/* Plans and ports are not what this is about. */
int change(struct keeper *k, uint32_t *at) {
  (void)k, (void)at;
  return ENOENT;
}

/* Nor are other runtimes and who they leave. */
void end_children(void) {}

void reap_orphans(struct keeper *k) { (void)k; }

void hold_sockets(struct keeper *k) { (void)k; }

void free_ports(struct keeper *k) { (void)k; }

uint64_t start_time(pid_t pid) { return (uint64_t)pid; }

enum { peer_limit = 8 };

static struct keeper keeper;
static jmp_buf left;
static int peers[peer_limit];
static int container[STREAM_COUNT], child;

static _Noreturn void leave(int status) { longjmp(left, status); }

static int pair_with(int *ours, int type) {
  int ends[2];
  MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  *ours = ends[1];
  return ends[0];
}

static void begin(uint8_t how) {
  struct keeper *k = &keeper;
  *k = (struct keeper){.control = -1, .pidfd = -1, .root = -1, .null_tree = -1, .log.fd = -1};
  for (int slot = 0; slot < SLOT_LIMIT; slot++) k->slots[slot] = -1;
  for (int i = 0; i < peer_limit; i++) peers[i] = -1;
  memset(lines, 0, sizeof lines);
  input_start = input_length = 0;
  input_closing = room_awaited = false;
  MUST(loop_init(&k->loop) == 0);
  k->stdin_kind = how % 3;
  k->stdio_kind = (how & 4) != 0 ? STDIO_TERMINAL : STDIO_PIPES;
  for (int stream = 0; stream < STREAM_COUNT; stream++) {
    k->own[stream] = -1;
    container[stream] = -1;
    if ((how & 4) != 0 || (stream == STREAM_IN && k->stdin_kind == STDIN_NONE)) continue;
    int ends[2];
    MUST(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    k->own[stream] = ends[stream == STREAM_IN ? 1 : 0];
    container[stream] = ends[stream == STREAM_IN ? 0 : 1];
  }
  k->daemon = pair_with(&peers[0], SOCK_STREAM);
  k->sync = pair_with(&child, SOCK_SEQPACKET);
  MUST(connection_open(k, k->daemon));
  MUST(loop_add(&k->loop, k->sync, EPOLLIN, on_sync, k) == 0);
  streams_open(k);
}

/* What there is to do at this moment is done, as far as the rounds go. */
static void turn(int rounds) {
  struct epoll_event events[events_at_once];
  for (; rounds > 0; rounds--) {
    int count = epoll_wait(keeper.loop.epoll, events, events_at_once, 0);
    if (count <= 0) return;
    for (int i = 0; i < count; i++) dispatch(&keeper.loop, &events[i]);
  }
}

static void hang_up(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void read_away(int fd) {
  static char bytes[1 << 16];
  while (fd >= 0 && read(fd, bytes, sizeof bytes) > 0) {
  }
}

static int await(struct pollfd *fds, nfds_t count, int timeout) {
  if (timeout >= 0) return poll(fds, count, timeout);
  read_away(peers[0]);
  return 1;
}

/* A request as it should be, or one that only begins so. */
static void ask(int fd, struct script *script) {
  uint32_t words[4] = {ASK_START + take_byte(script) % 6U, 4, take_byte(script), 0};
  if (words[0] == ASK_START || words[0] == ASK_CHANGE) words[1] = 0;
  if (words[0] == ASK_RESIZE) words[1] = 8;
  (void)send(fd, words, 8 + words[1] - take_byte(script) % 2U, MSG_NOSIGNAL);
}

static void say_as_child(struct script *script) {
  static char bytes[256];
  struct sync_message message = {.kind = take_byte(script) % 6U, .index = take_byte(script), .error = take_byte(script)};
  if (message.index == 255) message.index = POINT_START;
  size_t size = take_byte(script);
  int passed = -1;
  if (message.kind == SYNC_TERMINAL) passed = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  /* A successor that never ends: what its end does is on_child's. */
  if (message.kind == SYNC_CHILD) passed = (int)syscall(SYS_pidfd_open, getpid(), 0);
  (void)sync_send(child, message, bytes, size, passed);
  if (passed >= 0) close(passed);
}

static void act(struct script *script) {
  static char bytes[1 << 17];
  uint8_t what = take_byte(script), *of = &what;
  int *peer = &peers[what >> 4 & (peer_limit - 1)];
  size_t size = take_byte(script), taken;
  switch (*of % 12) {
    case 0:
      if (*peer < 0 && !connection_open(&keeper, pair_with(peer, SOCK_STREAM))) MUST(false);
      break;
    case 1:
      if (*peer >= 0) ask(*peer, script);
      break;
    case 2: {
      const uint8_t *piece = take_bytes(script, size, &taken);
      if (*peer >= 0) (void)send(*peer, piece, taken, MSG_NOSIGNAL);
      break;
    }
    case 3:
      hang_up(peer);
      break;
    case 4:
      if (*peer >= 0) shutdown(*peer, SHUT_WR);
      break;
    case 5:
      read_away(*peer);
      break;
    case 6:
      if (container[1 + (*of >> 4 & 1)] >= 0) (void)!write(container[1 + (*of >> 4 & 1)], bytes, size << 9);
      break;
    case 7:
      read_away(container[STREAM_IN]);
      break;
    case 8:
      hang_up(&container[*of >> 4 & 3 % STREAM_COUNT]);
      break;
    case 9:
      if (child >= 0) say_as_child(script);
      break;
    case 10:
      if (*peer >= 0) (void)send(*peer, bytes, size << 9, MSG_NOSIGNAL);
      break;
    default:
      hang_up(&child);
  }
}

/* The container has ended: as on_child does, without a process. */
static void end(void) {
  if (keeper.phase == PHASE_EXITED) return;
  hear_last_words(&keeper);
  streams_drain(&keeper);
  keeper.phase = PHASE_EXITED;
  tell_exit(&keeper, 0, 0);
}

static void clean_up(void) {
  for (int i = 0; i < peer_limit; i++) hang_up(&peers[i]);
  for (int stream = 0; stream < STREAM_COUNT; stream++) hang_up(&container[stream]);
  hang_up(&child);
  /* One that left in the middle of something still has connections: they end with the process, here by hand. */
  while (connections != NULL) {
    int fd = connections->fd;
    connection_free(&keeper, connections);
    close(fd);
  }
  while (clients != NULL) close_client(&keeper, clients);
  for (int stream = 0; stream < STREAM_COUNT; stream++) hang_up(&keeper.own[stream]);
  hang_up(&keeper.sync);
  hang_up(&keeper.pidfd);
  loop_free(&keeper.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct script script = {bytes, bytes + (size < 512 ? size : 512)};
  int first_free = dup(0);
  MUST(first_free >= 0);
  close(first_free);
  begin(take_byte(&script));
  if (setjmp(left) == 0) {
    while (script.at < script.end) {
      act(&script);
      turn(32);
    }
    end();
    for (int i = 0; i < peer_limit; i++) hang_up(&peers[i]);
    for (int stream = 0; stream < STREAM_COUNT; stream++) hang_up(&container[stream]);
    /* Requests are of eight bytes at least. */
    turn(1 << 18);
    MUST(connections == NULL && clients == NULL && !streams_busy());
  }
  clean_up();
  int fd = dup(0);
  MUST(fd == first_free);
  close(fd);
  return 0;
}
