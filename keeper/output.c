/* What the container writes and reads, and who listens. Output goes to the log first and then to every client; a client
 * that cannot take it stops the reading, so that the container waits and nothing is lost. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"

#define CHUNK 65536U
#define FRAME_HEADER 8U
/* More than the kernel keeps of what a terminal says. */
#define TERMINAL_ROOM (256U << 10)
/* More than may lie in a client's socket already. */
#define SOCKET_ROOM (1 << 20)

struct client {
  struct client *next;
  int fd;
  uint32_t flags;
  bool input_ended;
  char *pending; /* what it could not take yet */
  size_t start, length, capacity;
};

static struct client *clients;
static struct line lines[STREAM_COUNT];
static const char *const names[STREAM_COUNT] = {"stdin", "stdout", "stderr"};
static char chunk[FRAME_HEADER + CHUNK];

/* Standard input on its way into the container. */
static char input[CHUNK];
static size_t input_start, input_length;
static bool input_closing, room_awaited;

static loop_callback on_output, on_input_room, on_client;

bool streams_busy(void) {
  for (struct client *c = clients; c != NULL; c = c->next)
    if (c->length > 0) return true;
  return false;
}

static bool is_open(const struct keeper *k) { return k->own[STREAM_OUT] >= 0 || k->own[STREAM_ERR] >= 0; }

static bool is_terminal(const struct keeper *k) { return k->stdio_kind == STDIO_TERMINAL; }

/* A hang-up is reported whether it was asked for or not, and for ever: what cannot be dealt with now is watched by its
 * edges. So is a terminal at all times: one that nobody has open any more is hung up until somebody opens it again. */
static void watch_output(struct keeper *k, bool on) {
  uint32_t events = (on ? EPOLLIN : 0U) | (!on || is_terminal(k) ? EPOLLET : 0U);
  for (int stream = STREAM_OUT; stream < STREAM_COUNT; stream++)
    if (k->own[stream] >= 0) loop_change(&k->loop, k->own[stream], events);
}

static void watch_client(struct keeper *k, struct client *c) {
  bool reads = !c->input_ended && input_length == 0;
  loop_change(&k->loop, c->fd, (reads ? EPOLLIN : EPOLLET) | (c->length > 0 ? EPOLLOUT : 0U));
}

static void watch_clients(struct keeper *k) {
  for (struct client *c = clients; c != NULL; c = c->next) watch_client(k, c);
}

/* Asked for when there is none, and not again while it is awaited: asking repeats a hang-up. */
static void watch_room(struct keeper *k, bool awaited) {
  if (awaited == room_awaited) return;
  room_awaited = awaited;
  loop_change(&k->loop, k->own[STREAM_IN], (awaited ? EPOLLOUT : 0U) | EPOLLET);
}

static void close_input(struct keeper *k) {
  if (k->own[STREAM_IN] < 0) return;
  loop_remove(&k->loop, k->own[STREAM_IN]);
  close(k->own[STREAM_IN]);
  k->own[STREAM_IN] = -1;
  input_length = 0;
}

/* A client's input has ended: that is the container's end of input too, if it was to last for one client. */
static void end_input(struct keeper *k, struct client *c) {
  bool ends = !c->input_ended && (c->flags & ATTACH_STDIN) != 0;
  c->input_ended = true;
  if (!ends || k->stdin_kind != STDIN_ONCE || is_terminal(k)) return;
  if (input_length == 0) close_input(k);
  else input_closing = true;
}

static void close_client(struct keeper *k, struct client *c) {
  end_input(k, c);
  for (struct client **at = &clients; *at != NULL; at = &(*at)->next)
    if (*at == c) {
      *at = c->next;
      break;
    }
  loop_remove(&k->loop, c->fd);
  /* Closing over unread input would reset the connection, and what was sent last could be lost. */
  char unread[1024];
  shutdown(c->fd, SHUT_RD);
  while (recv(c->fd, unread, sizeof unread, MSG_DONTWAIT) > 0) {
  }
  close(c->fd);
  free(c->pending);
  free(c);
  if (!streams_busy()) watch_output(k, true);
  finish(k);
}

/* Keeps what could not be sent; bounded, since reading stops while anything is kept. */
static bool keep(struct client *c, const char *bytes, size_t size) {
  if (c->start > 0) memmove(c->pending, c->pending + c->start, c->length);
  c->start = 0;
  if (c->length + size > c->capacity) {
    char *larger = realloc(c->pending, c->length + size);
    if (larger == NULL) return false;
    c->pending = larger;
    c->capacity = c->length + size;
  }
  memcpy(c->pending + c->length, bytes, size);
  c->length += size;
  return true;
}

/* False when the client is gone. */
static bool send_to(struct keeper *k, struct client *c, const char *bytes, size_t size) {
  ssize_t sent = c->length > 0 ? 0 : send(c->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  size_t taken = sent > 0 ? (size_t)sent : 0;
  if (taken < size && !keep(c, bytes + taken, size - taken)) return false;
  watch_client(k, c);
  return true;
}

/* False when the client is gone. */
static bool send_pending(struct client *c) {
  ssize_t sent = c->length == 0 ? 0 : send(c->fd, c->pending + c->start, c->length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  c->start += (size_t)sent;
  c->length -= (size_t)sent;
  if (c->length > 0) return true;
  free(c->pending);
  c->pending = NULL;
  c->start = c->capacity = 0;
  return true;
}

static void frame(int stream, size_t size) {
  memset(chunk, 0, FRAME_HEADER);
  chunk[0] = (char)stream;
  for (unsigned byte = 0; byte < 4; byte++) chunk[7 - byte] = (char)(size >> (8 * byte));
}

static void send_all(struct keeper *k, int stream, size_t size) {
  bool raw = is_terminal(k);
  uint32_t wanted = stream == STREAM_OUT ? ATTACH_STDOUT : ATTACH_STDERR;
  frame(stream, size);
  struct client *next;
  for (struct client *c = clients; c != NULL; c = next) {
    next = c->next;
    if ((c->flags & wanted) == 0) continue;
    bool sent = raw ? send_to(k, c, chunk + FRAME_HEADER, size) : send_to(k, c, chunk, FRAME_HEADER + size);
    if (!sent) close_client(k, c);
  }
}

static void close_stream(struct keeper *k, int stream) {
  log_end(&k->log, &lines[stream], names[stream]);
  loop_remove(&k->loop, k->own[stream]);
  close(k->own[stream]);
  k->own[stream] = -1;
}

/* One read's worth of output: its size, 0 when there is none now. A terminal that nobody has open answers EIO. */
static size_t pass_output(struct keeper *k, int stream) {
  ssize_t size;
  do size = read(k->own[stream], chunk + FRAME_HEADER, CHUNK);
  while (size < 0 && errno == EINTR);
  if (size < 0 && (errno == EAGAIN || (errno == EIO && is_terminal(k)))) return 0;
  if (size <= 0) {
    close_stream(k, stream);
    return 0;
  }
  log_bytes(&k->log, &lines[stream], names[stream], chunk + FRAME_HEADER, (size_t)size);
  send_all(k, stream, (size_t)size);
  return (size_t)size;
}

static void on_output(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)events;
  struct keeper *k = data;
  int stream = fd == k->own[STREAM_OUT] ? STREAM_OUT : STREAM_ERR;
  if (streams_busy()) return;
  size_t passed = pass_output(k, stream);
  if (streams_busy()) watch_output(k, false);
  else if (passed > 0 && is_terminal(k)) watch_output(k, true);
}

static int watch_stream(struct keeper *k, int stream) {
  if (k->own[stream] < 0) return 0;
  if (stream == STREAM_IN) return error_of(loop_add(&k->loop, k->own[stream], EPOLLET, on_input_room, k));
  return error_of(loop_add(&k->loop, k->own[stream], EPOLLIN | (is_terminal(k) ? EPOLLET : 0U), on_output, k));
}

int streams_open(struct keeper *k) {
  int error = 0;
  for (int stream = 0; stream < STREAM_COUNT && error == 0 && !is_terminal(k); stream++) error = watch_stream(k, stream);
  return error;
}

/* The terminal is watched twice, by two descriptors: for what it says and for its room. */
int stream_terminal(struct keeper *k, int fd) {
  if (fd < 0) return EMFILE; /* it was sent, and there was no room for it */
  if (!is_terminal(k) || k->own[STREAM_IN] >= 0) {
    close(fd);
    return 0;
  }
  k->own[STREAM_IN] = fd;
  int error = error_of(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK));
  if (error == 0) error = error_of(k->own[STREAM_OUT] = fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (error == 0) error = watch_stream(k, STREAM_OUT);
  return error != 0 ? error : watch_stream(k, STREAM_IN);
}

/* As much as was in it when the container ended: a process that outlived the container may go on writing. */
static void drain(struct keeper *k, int stream) {
  int room = fcntl(k->own[stream], F_GETPIPE_SZ);
  size_t left = room > 0 ? (size_t)room : TERMINAL_ROOM;
  while (left > 0 && k->own[stream] >= 0) {
    size_t passed = pass_output(k, stream);
    if (passed == 0) break;
    left -= passed < left ? passed : left;
  }
  if (k->own[stream] >= 0) close_stream(k, stream);
}

/* Room in the client's socket for all that it has not taken yet, also against the system's limit. Whoever may not do that
 * (CAP_NET_ADMIN) waits for the client. */
static void make_room(const struct client *c) {
  int size = SOCKET_ROOM + (int)c->length;
  (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
}

/* The container has ended: what is left in its pipes goes to the log and to the clients. It waits for them in their
 * sockets, not here: a client that never reads must not hold the keeper. */
void streams_drain(struct keeper *k) {
  for (int stream = STREAM_OUT; stream < STREAM_COUNT; stream++)
    if (k->own[stream] >= 0) drain(k, stream);
  if (k->log.heard != NULL) send_rest();
  close_input(k);
  struct client *next;
  for (struct client *c = clients; c != NULL; c = next) {
    next = c->next;
    if (c->length > 0) make_room(c);
    if (!send_pending(c) || c->length == 0) close_client(k, c);
  }
}

static void give_input(struct keeper *k) {
  while (input_length > 0 && k->own[STREAM_IN] >= 0) {
    ssize_t wrote = write(k->own[STREAM_IN], input + input_start, input_length);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) break;
    if (wrote < 0) {
      close_input(k);
      break;
    }
    input_start += (size_t)wrote;
    input_length -= (size_t)wrote;
  }
  if (k->own[STREAM_IN] < 0) return;
  if (input_length == 0 && input_closing) close_input(k);
  else watch_room(k, input_length > 0);
}

static void on_input_room(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)fd;
  struct keeper *k = data;
  if (input_length > 0) give_input(k);
  /* The container has closed its standard input: what comes for it is thrown away from now on. */
  else if (!is_terminal(k) && (events & (EPOLLERR | EPOLLHUP)) != 0) close_input(k);
  if (input_length == 0) watch_clients(k);
}

static void take_input(struct keeper *k, struct client *c) {
  ssize_t size = recv(c->fd, input, CHUNK, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    end_input(k, c);
    watch_client(k, c);
    return;
  }
  if ((c->flags & ATTACH_STDIN) == 0 || k->own[STREAM_IN] < 0) return;
  input_start = 0;
  input_length = (size_t)size;
  give_input(k);
  if (input_length > 0) watch_clients(k);
}

static void flush_client(struct keeper *k, struct client *c) {
  if (!send_pending(c)) {
    close_client(k, c);
    return;
  }
  if (c->length > 0) return;
  watch_client(k, c);
  if (!is_open(k) && k->phase == PHASE_EXITED) close_client(k, c);
  else if (!streams_busy()) watch_output(k, true);
}

static void on_client(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)fd;
  struct client *c = data;
  struct keeper *k = keeper_of(loop);
  if ((events & EPOLLOUT) != 0) {
    flush_client(k, c);
    return;
  }
  if ((events & EPOLLIN) != 0) {
    take_input(k, c);
    return;
  }
  /* It has gone, and what it sent before is taken when the container takes input again. */
  bool unread = (c->flags & ATTACH_STDIN) != 0 && !c->input_ended && input_length > 0;
  if (!unread && (events & (EPOLLHUP | EPOLLERR)) != 0) close_client(k, c);
}

void stream_attach(struct keeper *k, int fd, uint32_t flags) {
  struct client *c = calloc(1, sizeof *c);
  if (c == NULL || loop_add(&k->loop, fd, EPOLLIN, on_client, c) != 0) {
    free(c);
    close(fd);
    return;
  }
  c->fd = fd;
  c->flags = flags;
  c->next = clients;
  clients = c;
  watch_client(k, c);
  if (!is_open(k) && k->phase == PHASE_EXITED) close_client(k, c);
}
