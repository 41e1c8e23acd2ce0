/* Streams are spliced through pipes, and a pipe is only borrowed while something is in it. A reader that does not keep
 * up stops its writer; an end of one direction is passed on as such; an error ends both sides with a reset, so that
 * nobody takes a broken stream for a whole one. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay-parts.h"

enum {
  most_connections = 4096, /* of all relays together */
  accepts_at_once = 16,
  accept_pause = 50, /* milliseconds without descriptors or room */
  pipe_size = 1 << 16,
  large_pipe_size = 1 << 20, /* fewer, larger steps: a third less processor time for each byte */
  most_large_pipes = 32,     /* of all relays together: what a reader leaves in them is the host's memory */
  most_spare_pipes = 8,
};

static struct relay *relays;

struct side {
  int fd;
  uint32_t events; /* what the loop watches for; 0: it does not watch */
};

struct pipe {
  int read, write; /* -1: it is not there */
  size_t size;
};

/* One direction; indices are those of the sides. */
struct flow {
  struct pipe pipe;
  size_t held; /* bytes in the pipe, which is there only while this is not 0 */
  bool ended;  /* the writer has said so */
  bool done;   /* and the reader knows */
};

struct connection {
  struct loop *loop;
  struct side sides[2];
  struct flow flows[2]; /* flows[i] goes from sides[i] to the other one */
  bool connecting;
};

static unsigned connection_count;
static struct pipe spare_pipes[most_spare_pipes]; /* large ones */
static unsigned spare_pipe_count, large_pipe_count;

static int open_pipe(struct pipe *pipe) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -1;
  *pipe = (struct pipe){.read = ends[0], .write = ends[1], .size = pipe_size};
  /* The kernel may have its own limit (fs.pipe-max-size). */
  if (large_pipe_count == most_large_pipes || fcntl(pipe->write, F_SETPIPE_SZ, large_pipe_size) < 0) return 0;
  pipe->size = large_pipe_size;
  large_pipe_count++;
  return 0;
}

static void close_pipe(const struct pipe *pipe) {
  close(pipe->read);
  close(pipe->write);
  if (pipe->size == large_pipe_size) large_pipe_count--;
}

static int borrow_pipe(struct flow *flow) {
  if (spare_pipe_count == 0) return open_pipe(&flow->pipe);
  flow->pipe = spare_pipes[--spare_pipe_count];
  return 0;
}

/* One with something in it is closed: its contents belong to nobody else. */
static void return_pipe(struct flow *flow) {
  if (flow->pipe.read < 0) return;
  bool is_spare = flow->held == 0 && flow->pipe.size == large_pipe_size && spare_pipe_count < most_spare_pipes;
  if (is_spare) spare_pipes[spare_pipe_count++] = flow->pipe;
  else close_pipe(&flow->pipe);
  flow->pipe.read = flow->pipe.write = -1;
  flow->held = 0;
}

static void close_connection(struct connection *connection, bool broken) {
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  for (int i = 0; i < 2; i++) {
    struct side *side = &connection->sides[i];
    loop_remove(connection->loop, side->fd);
    if (broken) setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(side->fd);
    return_pipe(&connection->flows[i]);
  }
  free(connection);
  connection_count--;
}

static bool would_block(void) { return errno == EAGAIN || errno == EINTR; }

/* Takes what is there; false when the stream is broken. */
static bool fill(struct flow *flow, int from) {
  if (flow->ended || flow->held > 0) return true;
  if (borrow_pipe(flow) < 0) return false;
  ssize_t size = splice(from, NULL, flow->pipe.write, NULL, flow->pipe.size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (size > 0) {
    flow->held = (size_t)size;
    return true;
  }
  bool fine = size == 0 || would_block();
  if (size == 0) flow->ended = true;
  return_pipe(flow);
  return fine;
}

static bool drain(struct flow *flow, int to) {
  while (flow->held > 0) {
    ssize_t size = splice(flow->pipe.read, NULL, to, NULL, flow->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (size <= 0) return size < 0 && would_block();
    flow->held -= (size_t)size;
    if (flow->held == 0) return_pipe(flow);
  }
  if (!flow->ended || flow->done) return true;
  flow->done = true;
  return shutdown(to, SHUT_WR) == 0 || errno == ENOTCONN;
}

static loop_callback on_side;

/* A side of which nothing is wanted is not watched at all: a hang-up, which cannot be masked, would spin. */
static int watch_side(struct connection *connection, struct side *side, uint32_t events) {
  uint32_t before = side->events;
  side->events = events;
  if (events == before) return 0;
  if (events == 0) return loop_remove(connection->loop, side->fd);
  if (before == 0) return loop_add(connection->loop, side->fd, events, on_side, connection);
  return loop_change(connection->loop, side->fd, events);
}

static uint32_t wanted(const struct connection *connection, int i) {
  const struct flow *from = &connection->flows[i], *to = &connection->flows[1 - i];
  if (connection->connecting) return i == 1 ? (uint32_t)EPOLLOUT : 0;
  uint32_t events = 0;
  if (!from->ended && from->held == 0) events |= EPOLLIN;
  if (to->held > 0) events |= EPOLLOUT;
  return events;
}

static bool watch_sides(struct connection *connection) {
  for (int i = 0; i < 2; i++)
    if (watch_side(connection, &connection->sides[i], wanted(connection, i)) < 0) return false;
  return true;
}

static bool is_connected(struct connection *connection) {
  int error = 0;
  socklen_t size = sizeof error;
  connection->connecting = false;
  return getsockopt(connection->sides[1].fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static bool move(struct connection *connection, int from) {
  struct flow *flow = &connection->flows[from];
  return fill(flow, connection->sides[from].fd) && drain(flow, connection->sides[1 - from].fd);
}

/* What a side can be read for is the flow from it, what it can be written for the one to it; hang-ups are both. */
static bool pump(struct connection *connection, int side, uint32_t events) {
  return ((events & ~(uint32_t)EPOLLOUT) == 0 || move(connection, side)) &&
         ((events & ~(uint32_t)EPOLLIN) == 0 || move(connection, 1 - side));
}

static void on_side(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop;
  struct connection *connection = data;
  int side = fd == connection->sides[1].fd;
  bool fine = connection->connecting ? is_connected(connection) : pump(connection, side, events);
  bool over = connection->flows[0].done && connection->flows[1].done;
  if (!fine || over || !watch_sides(connection)) close_connection(connection, !fine || !over);
}

int relay_connect(const union endpoint *target, int type, int protocol) {
  int fd = socket(target->any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return -1;
  if (connect(fd, &target->any, sizeof *target) == 0 || errno == EINPROGRESS) return fd;
  close(fd);
  return -1;
}

/* Small writes are sent as they come; a peer that is gone without a word is noticed. */
static void tune(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* The client's descriptor is ours from here on, also when this fails. */
static void open_connection(struct relay *relay, int client) {
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  struct connection *connection = calloc(1, sizeof *connection);
  int target = connection == NULL ? -1 : relay_connect(&relay->target, SOCK_STREAM, IPPROTO_TCP);
  if (connection == NULL || target < 0) {
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(client);
    free(connection);
    return;
  }
  tune(client);
  tune(target);
  *connection = (struct connection){
      .loop = relay->loop,
      .sides = {{.fd = client}, {.fd = target}},
      .flows = {{.pipe = {-1, -1, 0}}, {.pipe = {-1, -1, 0}}},
      .connecting = true,
  };
  connection_count++;
  if (!watch_sides(connection)) close_connection(connection, true);
}

static loop_callback on_listener;

static void accept_again(struct loop *loop, void *data) {
  struct relay *relay = data;
  if (loop_add(loop, relay->fd, EPOLLIN, on_listener, relay) < 0)
    loop_timer_set(loop, &relay->timer, accept_pause, accept_again, relay);
}

/* Clients wait in the kernel's queue meanwhile. */
static void pause_accepting(struct relay *relay) {
  loop_remove(relay->loop, relay->fd);
  loop_timer_set(relay->loop, &relay->timer, accept_pause, accept_again, relay);
}

static void on_listener(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)events;
  for (int i = 0; i < accepts_at_once; i++) {
    if (connection_count >= most_connections) return pause_accepting(data);
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) {
      open_connection(data, client);
      continue;
    }
    /* What else accept reports (ECONNABORTED, network errors) concerns one client that is gone. */
    if (errno == EAGAIN) return;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return pause_accepting(data);
  }
}

static int prepare(int fd, bool stream) {
  const int on = 1;
  int family = 0, flags = fcntl(fd, F_GETFL);
  socklen_t size = sizeof family;
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -1;
  if (stream) return 0;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) return -1;
  return family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on)
                            : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
}

int relay_open(struct loop *loop, int bound_fd, int protocol, union endpoint target) {
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) return EPROTONOSUPPORT;
  bool stream = protocol == IPPROTO_TCP;
  struct relay *relay = calloc(1, sizeof *relay);
  if (relay == NULL) return ENOMEM;
  *relay = (struct relay){.loop = loop, .fd = bound_fd, .target = target};
  if (prepare(bound_fd, stream) < 0 || loop_add(loop, bound_fd, EPOLLIN, stream ? on_listener : relay_on_datagram, relay) < 0) {
    int error = errno;
    free(relay);
    return error;
  }
  relay->next = relays;
  relays = relay;
  return 0;
}

bool relay_move(int bound_fd, union endpoint target) {
  for (struct relay *relay = relays; relay != NULL; relay = relay->next) {
    if (relay->fd != bound_fd) continue;
    relay->target = target;
    relay_forget_clients(relay);
    return true;
  }
  return false;
}

void relay_close(struct loop *loop, int bound_fd) {
  loop_remove(loop, bound_fd);
  for (struct relay **at = &relays; *at != NULL; at = &(*at)->next) {
    struct relay *relay = *at;
    if (relay->fd != bound_fd) continue;
    *at = relay->next;
    loop_timer_clear(loop, &relay->timer);
    relay_forget_clients(relay);
    free(relay);
    return;
  }
}
