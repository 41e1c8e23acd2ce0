/* For tests: one end of a conversation.
 * netlink-peer serve tcp|udp PORT: answers everybody with the address that they come from, until killed.
 * netlink-peer ask MILLISECONDS tcp|udp ADDRESS PORT [SOURCE-PORT]: prints the answer, or the error's name, or "silence"
 * when nothing has come within so long. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(const char *kind) {
  int fd = socket(AF_INET, strcmp(kind, "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  return fd;
}

static struct sockaddr_in address_of(const char *address, const char *port) {
  struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  inet_pton(AF_INET, address, &result.sin_addr);
  return result;
}

static int serve(const char *kind, const char *port) {
  struct sockaddr_in address = address_of("0.0.0.0", port), from;
  char text[64];
  int fd = open_socket(kind);
  bool stream = strcmp(kind, "tcp") == 0;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || (stream && listen(fd, 16) < 0)) return 1;
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    socklen_t size = sizeof from;
    int peer = stream ? accept(fd, (struct sockaddr *)&from, &size) : fd;
    if (!stream) recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &size);
    inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
    sendto(peer, text, strlen(text), MSG_NOSIGNAL, stream ? NULL : (struct sockaddr *)&from, stream ? 0 : size);
    if (stream) close(peer);
  }
}

static bool is_ready(int fd, short events, int patience) {
  struct pollfd change = {.fd = fd, .events = events};
  return poll(&change, 1, patience) > 0;
}

static const char *converse(int fd, const struct sockaddr_in *to, int patience) {
  static char text[64];
  int error = 0;
  socklen_t size = sizeof error;
  if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS) return strerrorname_np(errno);
  if (!is_ready(fd, POLLOUT, patience)) return "silence";
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return strerrorname_np(error);
  if (send(fd, "?", 1, MSG_NOSIGNAL) < 0) return strerrorname_np(errno);
  if (!is_ready(fd, POLLIN, patience)) return "silence";
  ssize_t length = recv(fd, text, sizeof text - 1, 0);
  if (length < 0) return strerrorname_np(errno);
  text[length] = 0;
  return text;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  if (strcmp(argv[1], "serve") == 0) return serve(argv[2], argv[3]);
  if (argc < 6) return 2;
  int fd = open_socket(argv[3]);
  struct sockaddr_in to = address_of(argv[4], argv[5]);
  if (argc > 6) {
    struct sockaddr_in from = address_of("0.0.0.0", argv[6]);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) return 1;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  puts(converse(fd, &to, atoi(argv[2])));
  return 0;
}
