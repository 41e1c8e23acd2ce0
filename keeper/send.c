/* Where lines of the log go besides its file: one socket. The container never waits for it. What it does not take at once
 * waits here; what finds no room here is lost to it, and stands in the file. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "endpoint.h"
#include "keeper.h"

/* Touched only as far as something waits. */
#define QUEUE_SIZE (1U << 20)
#define CONNECT_LIMIT_MS 5000
#define AGAIN_MS 1000
#define LAST_MOMENT_MS 1000

static struct {
  struct loop *loop;
  int fd; /* -1 between two connections */
  int type;
  union {
    struct sockaddr any;
    struct sockaddr_un path;
    union endpoint endpoint;
  } address;
  socklen_t address_size;
  struct loop_timer again;
} target = {.fd = -1};

/* Messages, each behind its length. */
static struct {
  size_t start, length;
  size_t sent; /* of the first */
  char bytes[QUEUE_SIZE];
} queue;

static loop_callback on_target;

static bool is_stream(void) { return target.type == SOCK_STREAM; }

/* Datagrams of the internet: a host that refuses one may take the next. */
static bool is_loose(void) { return !is_stream() && target.address.any.sa_family != AF_UNIX; }

static void watch_target(bool room) {
  loop_change(target.loop, target.fd, (room ? EPOLLOUT : 0U) | (is_stream() ? EPOLLRDHUP : 0U));
}

static int connect_target(void) {
  int fd = socket(target.address.any.sa_family, target.type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int error = error_of(connect(fd, &target.address.any, target.address_size));
  if (error == EINPROGRESS) error = 0;
  if (error == 0) error = error_of(loop_add(target.loop, fd, EPOLLOUT, on_target, NULL));
  if (error != 0) close(fd);
  else target.fd = fd;
  return error;
}

static void connect_again(struct loop *loop, void *data) {
  if (connect_target() != 0) loop_timer_set(loop, &target.again, AGAIN_MS, connect_again, data);
}

/* A message of which a part was taken is sent anew, whole. */
static void lose_target(void) {
  loop_remove(target.loop, target.fd);
  close(target.fd);
  target.fd = -1;
  queue.sent = 0;
  loop_timer_set(target.loop, &target.again, AGAIN_MS, connect_again, NULL);
}

static void drop_first(size_t size) {
  queue.start += sizeof(uint32_t) + size;
  queue.length -= sizeof(uint32_t) + size;
  queue.sent = 0;
  if (queue.length == 0) queue.start = 0;
}

static void send_queue(void) {
  while (queue.length > 0 && target.fd >= 0) {
    uint32_t size;
    memcpy(&size, queue.bytes + queue.start, sizeof size);
    const char *message = queue.bytes + queue.start + sizeof size;
    ssize_t sent = send(target.fd, message + queue.sent, size - queue.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      watch_target(true);
      return;
    }
    if (sent < 0 && errno != EMSGSIZE && !is_loose()) {
      lose_target();
      return;
    }
    queue.sent += sent < 0 ? size : (size_t)sent;
    if (queue.sent == size) drop_first(size);
  }
  if (target.fd >= 0) watch_target(false);
}

static void on_target(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)data;
  bool over = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (over && !is_loose()) {
    lose_target();
    return;
  }
  int error;
  socklen_t size = sizeof error;
  /* Asked for, or it would be told for ever. */
  if (over) (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  send_queue();
}

void send_message(const char *bytes, size_t size) {
  uint32_t length = (uint32_t)size;
  size_t whole = sizeof length + size;
  if (queue.start + queue.length + whole > QUEUE_SIZE) {
    memmove(queue.bytes, queue.bytes + queue.start, queue.length);
    queue.start = 0;
  }
  if (queue.length + whole > QUEUE_SIZE) return;
  char *end = queue.bytes + queue.start + queue.length;
  memcpy(end, &length, sizeof length);
  memcpy(end + sizeof length, bytes, size);
  bool waits = queue.length > 0;
  queue.length += whole;
  if (!waits) send_queue();
}

void send_rest(void) {
  int64_t end = loop_now() + LAST_MOMENT_MS;
  for (int64_t left = LAST_MOMENT_MS; queue.length > 0 && target.fd >= 0 && left > 0; left = end - loop_now()) {
    if (poll(&(struct pollfd){.fd = target.fd, .events = POLLOUT}, 1, (int)left) > 0) send_queue();
  }
}

/* Whether the connection stands: who asks for a log that nobody takes is told so, and not started. */
static int await_target(void) {
  int error = 0;
  socklen_t size = sizeof error;
  if (poll(&(struct pollfd){.fd = target.fd, .events = POLLOUT}, 1, CONNECT_LIMIT_MS) <= 0) return ETIMEDOUT;
  return getsockopt(target.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 ? errno : error;
}

static bool set_address(const struct argument *a) {
  const struct argument *path = &a[SEND_LOG_PATH], *address = &a[SEND_LOG_ADDRESS];
  if (path->length == 0) {
    target.address_size = address->length == sizeof(struct in_addr) ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    return endpoint_set(&target.address.endpoint, address->bytes, address->length, (uint16_t)a[SEND_LOG_PORT].number);
  }
  if (path->length >= sizeof target.address.path.sun_path) return false;
  target.address.path.sun_family = AF_UNIX;
  memcpy(target.address.path.sun_path, path->bytes, path->length);
  target.address_size = sizeof target.address.path;
  return true;
}

int step_send_log(struct keeper *k, const struct argument *a) {
  target.loop = &k->loop;
  target.type = (int)a[SEND_LOG_TYPE].number;
  if (!set_address(a)) return EAFNOSUPPORT;
  int error = connect_target();
  return error != 0 ? error : is_stream() ? await_target() : 0;
}
