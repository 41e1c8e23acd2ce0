/* For tests: sends what stands on standard input as one datagram to the netlink protocol in argv[1], and prints the
 * answers: "<sequence> <errno>" for each acknowledgement. With argv[2], sends it that often and prints the nanoseconds
 * that the first one took. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char request[1 << 20], answer[1 << 16];

static long long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void print_answers(int fd) {
  ssize_t size;
  while ((size = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) > 0) {
    int left = (int)size;
    for (struct nlmsghdr *message = (struct nlmsghdr *)answer; NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type != NLMSG_ERROR) continue;
      struct nlmsgerr *error = NLMSG_DATA(message);
      printf("%u %d\n", error->msg.nlmsg_seq, -error->error);
    }
  }
}

int main(int argc, char **argv) {
  size_t length = 0;
  ssize_t size;
  while ((size = read(0, request + length, sizeof request - length)) > 0) length += (size_t)size;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, argc > 1 ? atoi(argv[1]) : 0);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof kernel) < 0) return 1;
  long long start = nanoseconds();
  if (send(fd, request, length, 0) != (ssize_t)length) {
    printf("0 %d\n", errno);
    return 0;
  }
  long long end = nanoseconds();
  print_answers(fd);
  if (argc > 2) printf("ns %lld\n", end - start);
  return 0;
}
