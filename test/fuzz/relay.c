/* The relay: clients and servers that write, end, break off and come again in any order. What arrives is what was sent,
 * and when all are gone no connection is left. */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../../keeper/loop.c"
#include "../../keeper/relay.c"
#include "../../keeper/relay-datagrams.c"
#include "fuzz.h"

enum { pairs = 4, piece_limit = 3 << 15 };

/* Both ends of a relayed connection; each direction's bytes count up, so that what arrives can be told. */
struct pair {
  int ends[2];
  uint8_t wrote[2], read[2]; /* by the end that writes, by the end that wrote */
};

static struct loop loop;
static int listener, server;
static struct sockaddr_in entrance;
static struct pair pair[pairs];

static int listen_anywhere(struct sockaddr_in *address) {
  socklen_t size = sizeof *address;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  MUST(fd >= 0 && bind(fd, (struct sockaddr *)address, size) == 0 && listen(fd, 64) == 0);
  MUST(getsockname(fd, (struct sockaddr *)address, &size) == 0);
  return fd;
}

static void begin(void) {
  struct sockaddr_in target;
  signal(SIGPIPE, SIG_IGN);
  MUST(loop_init(&loop) == 0);
  server = listen_anywhere(&target);
  listener = listen_anywhere(&entrance);
  MUST(relay_open(&loop, listener, IPPROTO_TCP, (union endpoint){.four = target}) == 0);
  for (int i = 0; i < pairs; i++) pair[i].ends[0] = pair[i].ends[1] = -1;
}

/* What the relay has to do at this moment, it does. */
static void turn(void) {
  struct epoll_event events[events_at_once];
  for (int round = 0; round < 64; round++) {
    int count = epoll_wait(loop.epoll, events, events_at_once, 0);
    if (count <= 0) return;
    for (int i = 0; i < count; i++) dispatch(&loop, &events[i]);
  }
}

static void drop(struct pair *p) {
  for (int end = 0; end < 2; end++)
    if (p->ends[end] >= 0) close(p->ends[end]);
  *p = (struct pair){.ends = {-1, -1}};
}

static void open_pair(struct pair *p) {
  drop(p);
  p->ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  (void)connect(p->ends[0], (struct sockaddr *)&entrance, sizeof entrance);
  for (int tries = 0; tries < 1000 && p->ends[1] < 0; tries++) {
    turn();
    p->ends[1] = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }
  MUST(p->ends[1] >= 0);
}

static void write_some(struct pair *p, int end, size_t size) {
  static uint8_t bytes[piece_limit];
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(p->wrote[end] + i);
  ssize_t sent = send(p->ends[end], bytes, size, MSG_NOSIGNAL);
  if (sent > 0) p->wrote[end] = (uint8_t)(p->wrote[end] + sent);
}

static void read_some(struct pair *p, int end, size_t size) {
  static uint8_t bytes[piece_limit];
  ssize_t got = recv(p->ends[end], bytes, size, 0);
  for (ssize_t i = 0; i < got; i++) MUST(bytes[i] == p->read[1 - end]++);
}

static void act(struct pair *p, int end, uint8_t what, size_t size) {
  const struct linger reset = {.l_onoff = 1};
  int fd = p->ends[end];
  if (what == 0 || p->ends[0] < 0) open_pair(p);
  else if (fd < 0) return;
  else if (what < 3) write_some(p, end, size);
  else if (what < 5) read_some(p, end, size);
  else if (what == 5) shutdown(fd, SHUT_WR);
  else {
    if (what == 6) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    p->ends[end] = -1;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct script script = {bytes, bytes + (size < 256 ? size : 256)};
  if (loop.watches == NULL) begin();
  while (script.at < script.end) {
    uint8_t what = take_byte(&script);
    size_t amount = 1 + (size_t)take_byte(&script) * (piece_limit - 1) / 255;
    act(&pair[what >> 3 & 3], what >> 5 & 1, what & 7, amount);
    turn();
  }
  for (int i = 0; i < pairs; i++) drop(&pair[i]);
  /* The kernel tells of an end in its own time. */
  for (int tries = 0; tries < 100000 && connection_count > 0; tries++) turn();
  MUST(connection_count == 0);
  return 0;
}
