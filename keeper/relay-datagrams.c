/* Datagrams get a socket per client, so that answers find their way; who is silent for long is forgotten. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay-parts.h"

enum {
  most_clients = 256, /* of one relay */
  datagrams_at_once = 32,
  datagram_size = 1 << 16,
  client_idle = 60000, /* milliseconds */
  sweep_pause = 10000,
};

struct client {
  struct relay *relay;
  struct client *next, *previous;
  union endpoint address;
  struct in6_addr local; /* where it sent to (of IPv4, the first four bytes): its answers must come from there */
  int fd;               /* connected to the target */
  int64_t heard;
};

static char datagram[datagram_size];

union control {
  struct cmsghdr header;
  char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static void unlink_client(struct client *client) {
  if (client->next != NULL) client->next->previous = client->previous;
  if (client->previous != NULL)
    client->previous->next = client->next;
  else
    client->relay->clients = client->next;
  client->next = client->previous = NULL;
}

static void move_to_front(struct client *client) {
  struct relay *relay = client->relay;
  client->heard = loop_now();
  if (relay->clients == client) return;
  if (client->previous != NULL) unlink_client(client);
  client->next = relay->clients;
  if (client->next != NULL) client->next->previous = client;
  relay->clients = client;
}

static void close_client(struct client *client) {
  loop_remove(client->relay->loop, client->fd);
  close(client->fd);
  unlink_client(client);
  client->relay->client_count--;
  free(client);
}

static struct client *last_client(const struct relay *relay) {
  struct client *client = relay->clients;
  while (client != NULL && client->next != NULL) client = client->next;
  return client;
}

static void sweep(struct loop *loop, void *data) {
  struct relay *relay = data;
  struct client *last;
  int64_t now = loop_now();
  while ((last = last_client(relay)) != NULL && now - last->heard >= client_idle) close_client(last);
  if (last != NULL) loop_timer_set(loop, &relay->timer, sweep_pause, sweep, relay);
}

/* The answer goes out from `local`: the size of what says so. */
static size_t set_source(union control *control, int family, struct in6_addr local) {
  struct in6_pktinfo six = {.ipi6_addr = local};
  struct in_pktinfo four = {0};
  memcpy(&four.ipi_spec_dst, &local, sizeof four.ipi_spec_dst);
  bool is_six = family == AF_INET6;
  size_t size = is_six ? sizeof six : sizeof four;
  control->header.cmsg_level = is_six ? IPPROTO_IPV6 : IPPROTO_IP;
  control->header.cmsg_type = is_six ? IPV6_PKTINFO : IP_PKTINFO;
  control->header.cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(&control->header), is_six ? (void *)&six : (void *)&four, size);
  return CMSG_SPACE(size);
}

static void answer(const struct client *client, size_t size) {
  union control control = {0};
  struct iovec part = {.iov_base = datagram, .iov_len = size};
  union endpoint address = client->address;
  struct msghdr message = {
      .msg_name = &address,
      .msg_namelen = address.any.sa_family == AF_INET6 ? sizeof address.six : sizeof address.four,
      .msg_iov = &part,
      .msg_iovlen = 1,
      .msg_control = control.space,
      .msg_controllen = set_source(&control, address.any.sa_family, client->local),
  };
  /* Lost where the kernel has no room, as datagrams are. */
  (void)sendmsg(client->relay->fd, &message, MSG_DONTWAIT);
}

/* Errors (ECONNREFUSED: nothing listens yet) are those of datagrams sent before: they are read away. */
static void on_target(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)events;
  struct client *client = data;
  for (int i = 0; i < datagrams_at_once; i++) {
    ssize_t size = recv(fd, datagram, sizeof datagram, MSG_DONTWAIT);
    if (size < 0) return;
    answer(client, (size_t)size);
    move_to_front(client);
  }
}

static bool is_same(const union endpoint *a, const union endpoint *b) {
  if (a->any.sa_family != b->any.sa_family || a->four.sin_port != b->four.sin_port) return false; /* both have it there */
  if (a->any.sa_family == AF_INET) return a->four.sin_addr.s_addr == b->four.sin_addr.s_addr;
  return memcmp(&a->six.sin6_addr, &b->six.sin6_addr, sizeof a->six.sin6_addr) == 0 &&
         a->six.sin6_scope_id == b->six.sin6_scope_id;
}

static struct client *find_client(const struct relay *relay, const union endpoint *address, struct in6_addr local) {
  for (struct client *client = relay->clients; client != NULL; client = client->next)
    if (is_same(&client->address, address) && memcmp(&client->local, &local, sizeof local) == 0) return client;
  return NULL;
}

/* With no room left, the one that was silent longest makes place. */
static struct client *open_client(struct relay *relay, const union endpoint *address, struct in6_addr local) {
  struct client *last = relay->client_count < most_clients ? NULL : last_client(relay);
  if (last != NULL) close_client(last);
  struct client *client = calloc(1, sizeof *client);
  int fd = client == NULL ? -1 : relay_connect(&relay->target, SOCK_DGRAM, IPPROTO_UDP);
  if (fd >= 0) *client = (struct client){.relay = relay, .address = *address, .local = local, .fd = fd};
  if (fd < 0 || loop_add(relay->loop, fd, EPOLLIN, on_target, client) < 0) {
    if (fd >= 0) close(fd);
    free(client);
    return NULL;
  }
  relay->client_count++;
  move_to_front(client);
  if (relay->timer.callback == NULL) loop_timer_set(relay->loop, &relay->timer, sweep_pause, sweep, relay);
  return client;
}

/* The size, or -1; with whom it came from and which of our addresses it was sent to. */
static ssize_t receive(int fd, union endpoint *address, struct in6_addr *local) {
  union control control;
  struct iovec part = {.iov_base = datagram, .iov_len = sizeof datagram};
  struct msghdr message = {
      .msg_name = address,
      .msg_namelen = sizeof *address,
      .msg_iov = &part,
      .msg_iovlen = 1,
      .msg_control = control.space,
      .msg_controllen = sizeof control.space,
  };
  ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);
  memset(local, 0, sizeof *local);
  if (size < 0) return -1;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    struct in_pktinfo four;
    struct in6_pktinfo six;
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      memcpy(&four, CMSG_DATA(header), sizeof four);
      memcpy(local, &four.ipi_spec_dst, sizeof four.ipi_spec_dst);
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      memcpy(&six, CMSG_DATA(header), sizeof six);
      *local = six.ipi6_addr;
    }
  }
  return size;
}

void relay_on_datagram(struct loop *loop, int fd, uint32_t events, void *data) {
  (void)loop, (void)events;
  struct relay *relay = data;
  for (int i = 0; i < datagrams_at_once; i++) {
    union endpoint address = {0};
    struct in6_addr local;
    ssize_t size = receive(fd, &address, &local);
    if (size < 0) return;
    struct client *client = find_client(relay, &address, local);
    if (client == NULL) client = open_client(relay, &address, local);
    if (client == NULL) continue;
    move_to_front(client);
    /* A refusal of an earlier datagram is reported here too, instead of sending: once more, then it is lost. */
    if (send(client->fd, datagram, (size_t)size, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED)
      (void)send(client->fd, datagram, (size_t)size, MSG_DONTWAIT);
  }
}

void relay_forget_clients(struct relay *relay) {
  while (relay->clients != NULL) close_client(relay->clients);
}
