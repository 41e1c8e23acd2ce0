/* Answers that are in a table are given at once. The rest is passed to the daemon over one connection, and where no daemon
 * answers in time, to the servers that the tables name, one after the other. Bytes of answers pass as they are. */
#include "names.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "answer.h"
#include "tables.h"

enum {
  most_exchanges = 512,
  most_clients = 64, /* by streams */
  datagrams_at_once = 32,
  message_limit = 65535,
  question_limit = 4096, /* no question is that large */
  datagram_answer = 512,
  answer_wait = 2000, /* milliseconds, for each that is asked */
  rounds = 2,         /* through all servers */
  daemon_pause = 5000,
  client_idle = 10000,
  accept_pause = 50,
};

enum { ASKED_DAEMON = -1 };

/* A container's process that asks by a stream. */
struct client {
  struct client *next;
  int fd;
  struct loop_timer idle;
  size_t have;
  uint8_t bytes[2 + question_limit];
};

/* A question that somebody else is asked. */
struct exchange {
  struct exchange *next;
  uint32_t tag;
  bool stream;           /* a client asks; otherwise a datagram came from the address */
  struct client *client; /* null: it is gone, and nobody waits */
  struct sockaddr_in address;
  int asked; /* ASKED_DAEMON, or how many servers before this one */
  int fd;    /* to the server, or -1 */
  struct loop_timer timer;
  uint8_t *answer; /* of a stream, as far as it has come, with its two bytes of length */
  size_t have;
  size_t size;
  uint8_t question[];
};

static struct keeper *keeper;
static int datagram_fd, stream_fd;
static struct client *clients;
static struct exchange *exchanges;
static unsigned client_count, exchange_count;
static uint32_t last_tag;

/* To the daemon: frames of u32 size of what follows, u32 tag, and in questions u32 whether a stream asks; then bytes. */
static struct {
  int fd;
  int64_t quiet_until;
  size_t have;
  uint8_t bytes[8 + message_limit];
} resolver = {.fd = -1};

static uint8_t message[2 + message_limit];

static void ask_next(struct exchange *exchange);
static loop_callback on_client, on_server, on_resolver;

/* Clients. */

static void close_client(struct client *client) {
  struct client **at = &clients;
  while (*at != client) at = &(*at)->next;
  *at = client->next;
  for (struct exchange *exchange = exchanges; exchange != NULL; exchange = exchange->next)
    if (exchange->client == client) exchange->client = NULL;
  loop_timer_clear(&keeper->loop, &client->idle);
  loop_remove(&keeper->loop, client->fd);
  close(client->fd);
  free(client);
  client_count--;
}

static bool is_lost(const struct exchange *exchange) { return exchange->stream && exchange->client == NULL; }

static void on_idle(struct loop *loop, void *data) {
  (void)loop;
  close_client(data);
}

/* A stream that does not take a whole answer is closed: half of one is none. */
static void reply(struct client *client, const struct sockaddr_in *address, const uint8_t *bytes, size_t size) {
  if (client == NULL) {
    (void)sendto(datagram_fd, bytes, size, MSG_DONTWAIT, (const struct sockaddr *)address, sizeof *address);
    return;
  }
  uint8_t length[2] = {(uint8_t)(size >> 8), (uint8_t)size};
  void *writable;
  memcpy(&writable, &bytes, sizeof writable);
  struct iovec parts[2] = {{length, 2}, {writable, size}};
  struct msghdr out = {.msg_iov = parts, .msg_iovlen = 2};
  if (sendmsg(client->fd, &out, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size + 2) shutdown(client->fd, SHUT_RDWR);
}

/* Exchanges. */

static void close_server(struct exchange *exchange) {
  if (exchange->fd < 0) return;
  loop_remove(&keeper->loop, exchange->fd);
  close(exchange->fd);
  exchange->fd = -1;
  exchange->have = 0;
}

static void end_exchange(struct exchange *exchange) {
  struct exchange **at = &exchanges;
  while (*at != exchange) at = &(*at)->next;
  *at = exchange->next;
  loop_timer_clear(&keeper->loop, &exchange->timer);
  close_server(exchange);
  free(exchange->answer);
  free(exchange);
  exchange_count--;
}

static void finish_exchange(struct exchange *exchange, const uint8_t *bytes, size_t size) {
  if (!is_lost(exchange)) reply(exchange->client, &exchange->address, bytes, size);
  end_exchange(exchange);
}

/* It is an answer to this question, and not what somebody sends who guesses. */
static bool is_answer(const struct exchange *exchange, const uint8_t *bytes, size_t size) {
  struct question question;
  question_parse(exchange->question, exchange->size, &question);
  return size >= question.end && (bytes[2] & 0x80) != 0 && memcmp(bytes, exchange->question, 2) == 0 &&
         memcmp(bytes + DNS_HEADER, exchange->question + DNS_HEADER, question.end - DNS_HEADER) == 0;
}

static void on_late(struct loop *loop, void *data) {
  (void)loop;
  const struct exchange *exchange = data;
  /* A daemon that stands still is not waited for again at once. */
  if (exchange->asked == ASKED_DAEMON && resolver.fd >= 0) resolver.quiet_until = loop_now() + daemon_pause;
  ask_next(data);
}

/* The namespace is the container's for as long as a socket is made there. */
static int socket_in(bool inside, int family, int type) {
  if (inside && setns(keeper->pidfd, CLONE_NEWNET) != 0) return -1;
  int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (inside && setns(tables_home(), CLONE_NEWNET) != 0) abort(); /* this process must not stay in there */
  return fd;
}

static bool ask_server(struct exchange *exchange, const struct server *server) {
  bool stream = exchange->stream;
  int fd = socket_in(server->inside, server->address.any.sa_family, stream ? SOCK_STREAM : SOCK_DGRAM);
  if (fd < 0) return false;
  bool fine = connect(fd, &server->address.any, sizeof server->address) == 0 || errno == EINPROGRESS;
  if (fine && !stream) fine = send(fd, exchange->question, exchange->size, MSG_NOSIGNAL) == (ssize_t)exchange->size;
  if (!fine || loop_add(&keeper->loop, fd, stream ? EPOLLOUT : EPOLLIN, on_server, exchange) < 0) {
    close(fd);
    return false;
  }
  exchange->fd = fd;
  return true;
}

static bool send_question(const struct exchange *exchange) {
  uint8_t length[2] = {(uint8_t)(exchange->size >> 8), (uint8_t)exchange->size};
  void *question;
  const uint8_t *bytes = exchange->question;
  memcpy(&question, &bytes, sizeof question);
  struct iovec parts[2] = {{length, 2}, {question, exchange->size}};
  struct msghdr out = {.msg_iov = parts, .msg_iovlen = 2};
  return sendmsg(exchange->fd, &out, MSG_NOSIGNAL) == (ssize_t)exchange->size + 2 &&
         loop_change(&keeper->loop, exchange->fd, EPOLLIN) == 0;
}

/* 1: the answer is whole. 0: not yet. -1: it never will be. */
static int read_stream(struct exchange *exchange) {
  if (exchange->answer == NULL) exchange->answer = malloc(2 + message_limit);
  if (exchange->answer == NULL) return -1;
  size_t wanted = exchange->have < 2 ? 2 : 2U + (size_t)(exchange->answer[0] << 8 | exchange->answer[1]);
  ssize_t size = recv(exchange->fd, exchange->answer + exchange->have, wanted - exchange->have, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (size <= 0) return -1;
  exchange->have += (size_t)size;
  if (exchange->have < 2 || exchange->have < 2U + (size_t)(exchange->answer[0] << 8 | exchange->answer[1])) return 0;
  return is_answer(exchange, exchange->answer + 2, exchange->have - 2) ? 1 : -1;
}

static void on_server(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop;
  struct exchange *exchange = data;
  if (!exchange->stream) {
    ssize_t size = recv(fd, message, sizeof message, MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN) ask_next(exchange); /* nobody is there */
    else if (size > 0 && is_answer(exchange, message, (size_t)size)) finish_exchange(exchange, message, (size_t)size);
    return;
  }
  if ((events & EPOLLOUT) != 0) {
    if ((events & EPOLLERR) != 0 || !send_question(exchange)) ask_next(exchange);
    return;
  }
  int state = read_stream(exchange);
  if (state < 0) ask_next(exchange);
  if (state > 0) finish_exchange(exchange, exchange->answer + 2, exchange->have - 2);
}

/* The daemon. */

/* Whoever waited for it asks the servers. */
static void close_resolver(void) {
  if (resolver.fd < 0) return;
  loop_remove(&keeper->loop, resolver.fd);
  close(resolver.fd);
  resolver.fd = -1;
  resolver.have = 0;
  for (struct exchange *exchange = exchanges, *next; exchange != NULL; exchange = next) {
    next = exchange->next;
    if (exchange->asked == ASKED_DAEMON) loop_timer_set(&keeper->loop, &exchange->timer, 0, on_late, exchange);
  }
}

static bool open_resolver(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (loop_now() < resolver.quiet_until) return false;
  if (resolver.fd >= 0) return true;
  if (path == NULL || strlen(path) >= sizeof address.sun_path) return false;
  memcpy(address.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      loop_add(&keeper->loop, fd, EPOLLIN, on_resolver, NULL) < 0) {
    close(fd);
    return false;
  }
  resolver.fd = fd;
  return true;
}

static bool ask_daemon(const struct exchange *exchange) {
  if (!open_resolver(tables_resolver())) return false;
  uint32_t head[3] = {(uint32_t)(8 + exchange->size), exchange->tag, exchange->stream};
  void *question;
  const uint8_t *bytes = exchange->question;
  memcpy(&question, &bytes, sizeof question);
  struct iovec parts[2] = {{head, sizeof head}, {question, exchange->size}};
  struct msghdr out = {.msg_iov = parts, .msg_iovlen = 2};
  ssize_t sent = sendmsg(resolver.fd, &out, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent == (ssize_t)(sizeof head + exchange->size)) return true;
  /* It does not read: a frame that was cut short must be the last, and who stands still is as good as dead. */
  if (sent >= 0 || (errno != EAGAIN && errno != EINTR)) close_resolver();
  return false;
}

static void hear_daemon(uint32_t tag, const uint8_t *bytes, size_t size) {
  struct exchange *exchange = exchanges;
  while (exchange != NULL && (exchange->tag != tag || exchange->asked != ASKED_DAEMON)) exchange = exchange->next;
  if (exchange == NULL) return; /* too late */
  if (is_answer(exchange, bytes, size)) finish_exchange(exchange, bytes, size);
  else ask_next(exchange);
}

static void on_resolver(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)events, (void)data;
  ssize_t size = recv(fd, resolver.bytes + resolver.have, sizeof resolver.bytes - resolver.have, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size > 0) resolver.have += (size_t)size;
  size_t at = 0;
  while (size > 0 && resolver.have - at >= 8) {
    uint32_t head[2];
    memcpy(head, resolver.bytes + at, sizeof head);
    if (head[0] < 4 || head[0] > 4 + message_limit) size = 0;
    if (size == 0 || resolver.have - at < 4 + head[0]) break;
    hear_daemon(head[1], resolver.bytes + at + 8, head[0] - 4);
    if (resolver.fd < 0) return;
    at += 4 + head[0];
  }
  if (size <= 0) return close_resolver();
  resolver.have -= at;
  memmove(resolver.bytes, resolver.bytes + at, resolver.have);
}

/* Questions. */

static void refuse(struct client *client, const struct sockaddr_in *address, const uint8_t *bytes, size_t size, int rcode) {
  uint8_t out[DNS_HEADER + DNS_NAME_LIMIT + 4];
  reply(client, address, out, answer_refusal(bytes, size, rcode, out));
}

/* The next who may know; when all were asked in vain, that is the answer. */
static void ask_next(struct exchange *exchange) {
  const struct server *servers;
  int count = (int)tables_servers(&servers);
  close_server(exchange);
  loop_timer_set(&keeper->loop, &exchange->timer, answer_wait, on_late, exchange);
  while (!is_lost(exchange) && ++exchange->asked < count * rounds)
    if (ask_server(exchange, &servers[exchange->asked % count])) return;
  if (!is_lost(exchange)) refuse(exchange->client, &exchange->address, exchange->question, exchange->size, RCODE_FAILURE);
  end_exchange(exchange);
}

static void pass_on(struct client *client, const struct sockaddr_in *address, const uint8_t *bytes, size_t size) {
  const struct server *servers;
  bool anybody = tables_resolver() != NULL || tables_servers(&servers) > 0;
  struct exchange *exchange = anybody && exchange_count < most_exchanges ? calloc(1, sizeof *exchange + size) : NULL;
  if (exchange == NULL) return refuse(client, address, bytes, size, RCODE_FAILURE);
  *exchange = (struct exchange){.next = exchanges, .tag = ++last_tag, .client = client, .fd = -1, .size = size};
  exchange->stream = client != NULL;
  if (address != NULL) exchange->address = *address;
  exchange->asked = ASKED_DAEMON;
  memcpy(exchange->question, bytes, size);
  exchanges = exchange;
  exchange_count++;
  if (ask_daemon(exchange)) loop_timer_set(&keeper->loop, &exchange->timer, answer_wait, on_late, exchange);
  else ask_next(exchange);
}

static void serve(struct client *client, const struct sockaddr_in *address, const uint8_t *bytes, size_t size) {
  static unsigned turn;
  struct question question;
  struct name_entry found;
  int rcode = question_parse(bytes, size, &question);
  if (rcode < 0) return;
  if (rcode != RCODE_FINE) return refuse(client, address, bytes, size, rcode);
  tables_refresh();
  int known = tables_find(&question, &found);
  if (known < 0) return pass_on(client, address, bytes, size);
  size_t limit = client == NULL ? datagram_answer : message_limit;
  reply(client, address, message, answer_write(bytes, &question, known > 0 ? &found : NULL, turn++, message, limit));
}

static void on_datagram(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)events, (void)data;
  for (int i = 0; i < datagrams_at_once; i++) {
    static uint8_t bytes[question_limit];
    struct sockaddr_in address;
    socklen_t address_size = sizeof address;
    ssize_t size = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&address, &address_size);
    if (size < 0) return;
    if ((size_t)size <= sizeof bytes) serve(NULL, &address, bytes, (size_t)size);
  }
}

static void on_client(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)events;
  struct client *client = data;
  size_t wanted = client->have < 2 ? 2 : 2U + (size_t)(client->bytes[0] << 8 | client->bytes[1]);
  ssize_t size = recv(fd, client->bytes + client->have, wanted - client->have, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size > 0) client->have += (size_t)size;
  wanted = client->have < 2 ? 2 : 2U + (size_t)(client->bytes[0] << 8 | client->bytes[1]);
  if (size <= 0 || wanted > sizeof client->bytes) return close_client(client);
  loop_timer_set(loop, &client->idle, client_idle, on_idle, client);
  if (client->have < 2 || client->have < wanted) return;
  client->have = 0;
  serve(client, NULL, client->bytes + 2, wanted - 2);
}

static void accept_again(struct loop *loop, void *data) {
  (void)data;
  loop_change(loop, stream_fd, EPOLLIN);
}

static void on_stream(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)events, (void)data;
  static struct loop_timer pause;
  int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    /* Out of descriptors: who waits to be accepted would wake the loop for ever. */
    loop_change(loop, fd, 0);
    return loop_timer_set(loop, &pause, accept_pause, accept_again, NULL);
  }
  struct client *last = clients;
  while (last != NULL && last->next != NULL) last = last->next;
  /* The one that came first makes place. */
  if (last != NULL && client_count >= most_clients) close_client(last);
  struct client *client = calloc(1, sizeof *client);
  if (client == NULL || loop_add(loop, accepted, EPOLLIN, on_client, client) < 0) {
    close(accepted);
    free(client);
    return;
  }
  client->fd = accepted;
  client->next = clients;
  clients = client;
  client_count++;
  setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  loop_timer_set(loop, &client->idle, client_idle, on_idle, client);
}

int names_open(struct keeper *k, int datagrams, int streams, const char *table) {
  keeper = k;
  datagram_fd = datagrams;
  stream_fd = streams;
  int error = tables_open(table);
  if (error != 0) return error;
  if (loop_add(&k->loop, datagrams, EPOLLIN, on_datagram, NULL) < 0) return errno;
  return loop_add(&k->loop, streams, EPOLLIN, on_stream, NULL) < 0 ? errno : 0;
}
