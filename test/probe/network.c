// Small servers and clients; addresses are numbers, IPv4 or IPv6.
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_storage room;
};

static socklen_t parse(const char *text, const char *port, union address *address) {
  memset(address, 0, sizeof *address);
  uint16_t order = htons((uint16_t)number(port));
  if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = order;
    return sizeof address->v4;
  }
  inet_pton(AF_INET6, text, &address->v6.sin6_addr);
  address->v6.sin6_family = AF_INET6;
  address->v6.sin6_port = order;
  return sizeof address->v6;
}

int probe_interfaces(int count, char **args) {
  (void)count, (void)args;
  struct ifaddrs *all;
  if (getifaddrs(&all)) return refused("getifaddrs");
  for (struct ifaddrs *entry = all; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr) continue;
    union address address = {0};
    char text[INET6_ADDRSTRLEN] = "";
    const char *state = entry->ifa_flags & IFF_UP ? "up" : "down";
    int family = entry->ifa_addr->sa_family;
    memcpy(&address, entry->ifa_addr, family == AF_INET6 ? sizeof address.v6 : sizeof address.v4);
    if (family == AF_INET)
      inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
    else if (family == AF_INET6)
      inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text);
    else
      continue;
    printf("%s: %s %s\n", entry->ifa_name, state, text);
  }
  freeifaddrs(all);
  return 0;
}

// A socket that is bound (serve) or connected, or -1. Never waits for ever: five seconds.
static int open_socket(int count, char **args, int type, int serve) {
  union address address;
  socklen_t size = parse(argument(count, args, 0, "127.0.0.1"), argument(count, args, 1, "0"), &address);
  int fd = socket(address.any.sa_family, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int one = 1;
  struct timeval limit = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (!serve) {
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  if ((serve ? bind : connect)(fd, &address.any, size) || (serve && type == SOCK_STREAM && listen(fd, 128))) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

static void say_peer(const union address *peer) {
  char text[INET6_ADDRSTRLEN] = "";
  const void *from = peer->any.sa_family == AF_INET ? (const void *)&peer->v4.sin_addr : &peer->v6.sin6_addr;
  inet_ntop(peer->any.sa_family, from, text, sizeof text);
  printf("from: %s\n", text);
}

int probe_tcp_serve(int count, char **args) {
  int server = open_socket(count, args, SOCK_STREAM, 1);
  if (server < 0) return refused("tcp-serve");
  printf("listening\n");
  uint64_t left = number(argument(count, args, 2, "0"));
  for (;;) {
    union address peer;
    socklen_t size = sizeof peer;
    int client = accept4(server, &peer.any, &size, SOCK_CLOEXEC);
    if (client < 0) continue;
    say_peer(&peer);
    char buffer[65536];
    for (ssize_t length; (length = read(client, buffer, sizeof buffer)) > 0;)
      for (ssize_t done = 0; done < length;) {
        ssize_t sent = send(client, buffer + done, (size_t)(length - done), MSG_NOSIGNAL);
        if (sent < 0) break;
        done += sent;
      }
    close(client);
    if (left > 0 && --left == 0) return 0;
  }
}

int probe_udp_serve(int count, char **args) {
  int server = open_socket(count, args, SOCK_DGRAM, 1);
  if (server < 0) return refused("udp-serve");
  printf("listening\n");
  uint64_t left = number(argument(count, args, 2, "0"));
  for (;;) {
    union address peer;
    socklen_t size = sizeof peer;
    char buffer[65536];
    ssize_t length = recvfrom(server, buffer, sizeof buffer, 0, &peer.any, &size);
    if (length < 0) continue;
    say_peer(&peer);
    sendto(server, buffer, (size_t)length, 0, &peer.any, size);
    if (left > 0 && --left == 0) return 0;
  }
}

// The whole answer, up to the other side's end.
static int ask(int count, char **args, int type, const char *name) {
  int fd = open_socket(count, args, type, 0);
  if (fd < 0) return refused(name);
  const char *text = argument(count, args, 2, "hello");
  if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0) return refused(name);
  char buffer[65536];
  ssize_t length;
  if (type == SOCK_STREAM) shutdown(fd, SHUT_WR);
  printf("answer: ");
  do {
    length = recv(fd, buffer, sizeof buffer, 0);
    if (length > 0) fwrite(buffer, 1, (size_t)length, stdout);
  } while (type == SOCK_STREAM && length > 0);
  printf("\n");
  int code = length < 0 ? refused(name) : 0;
  close(fd);
  return code;
}

int probe_tcp_ask(int count, char **args) { return ask(count, args, SOCK_STREAM, "tcp-ask"); }

int probe_udp_ask(int count, char **args) { return ask(count, args, SOCK_DGRAM, "udp-ask"); }
