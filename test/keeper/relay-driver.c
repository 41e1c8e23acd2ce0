/* For tests: a relay by itself. relay-driver tcp|udp ADDRESS TARGET-PORT [TARGET-ADDRESS] binds any free port of ADDRESS,
 * prints it, and relays to TARGET-ADDRESS (127.0.0.1) until standard input ends. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../keeper/relay.h"

static struct loop loop;

static void on_input(struct loop *which, int fd, uint32_t events, void *data) {
  char byte;
  (void)events, (void)data;
  if (read(fd, &byte, 1) <= 0) loop_stop(which);
}

static bool parse(union endpoint *endpoint, const char *text, uint16_t port) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET, text, bytes) == 1) return endpoint_set(endpoint, bytes, 4, port);
  return inet_pton(AF_INET6, text, bytes) == 1 && endpoint_set(endpoint, bytes, 16, port);
}

int main(int argc, char **argv) {
  if (argc < 4 || argc > 5) return 2;
  bool stream = strcmp(argv[1], "tcp") == 0;
  union endpoint address, target;
  socklen_t size = sizeof address;
  if (!parse(&address, argv[2], 0) || !parse(&target, argc > 4 ? argv[4] : "127.0.0.1", (uint16_t)atoi(argv[3]))) return 2;
  signal(SIGPIPE, SIG_IGN);
  int fd = socket(address.any.sa_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, &address.any, sizeof address) < 0) return 1;
  if (stream && listen(fd, 128) < 0) return 1;
  if (getsockname(fd, &address.any, &size) < 0 || loop_init(&loop) < 0) return 1;
  if (loop_add(&loop, STDIN_FILENO, EPOLLIN, on_input, NULL) < 0) return 1;
  if (relay_open(&loop, fd, stream ? IPPROTO_TCP : IPPROTO_UDP, target) != 0) return 1;
  printf("%d\n", ntohs(address.four.sin_port));
  fflush(stdout);
  return loop_run(&loop) == 0 ? 0 : 1;
}
