/* For tests: a relay by itself. relay-driver tcp|udp ADDRESS TARGET-PORT binds any free port of ADDRESS, prints it, and
 * relays to 127.0.0.1:TARGET-PORT until standard input ends. */
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

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  bool stream = strcmp(argv[1], "tcp") == 0;
  struct sockaddr_in address = {.sin_family = AF_INET};
  struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
  socklen_t size = sizeof address;
  inet_pton(AF_INET, argv[2], &address.sin_addr);
  inet_pton(AF_INET, "127.0.0.1", &target.sin_addr);
  signal(SIGPIPE, SIG_IGN);
  int fd = socket(AF_INET, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return 1;
  if (stream && listen(fd, 128) < 0) return 1;
  if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 || loop_init(&loop) < 0) return 1;
  if (loop_add(&loop, STDIN_FILENO, EPOLLIN, on_input, NULL) < 0) return 1;
  if (relay_open(&loop, fd, stream ? IPPROTO_TCP : IPPROTO_UDP, target) != 0) return 1;
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return loop_run(&loop) == 0 ? 0 : 1;
}
