/* For tests: exits with the number of the line whose claim about the relay does not hold, or with 0. What needs no peer
 * that behaves: when there are no descriptors, when nobody can be reached, and when nobody has been heard of for long. */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/resource.h>

#include "../../keeper/loop.c"
#include "../../keeper/relay.c"
#include "../../keeper/relay-datagrams.c"

#define CLAIM(what) \
  if (!(what)) return __LINE__

static struct loop loop;

static int bound(int type, struct sockaddr_in *address) {
  socklen_t size = sizeof *address;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)address, size) < 0) return -1;
  if (type == SOCK_STREAM && listen(fd, 16) < 0) return -1;
  return getsockname(fd, (struct sockaddr *)address, &size) < 0 ? -1 : fd;
}

static void on_time(struct loop *which, void *data) {
  (void)data;
  loop_stop(which);
}

/* What happens within that many milliseconds. */
static void run_for(int64_t milliseconds) {
  struct loop_timer timer = {0};
  loop_timer_set(&loop, &timer, milliseconds, on_time, NULL);
  (void)loop_run(&loop);
  loop_timer_clear(&loop, &timer);
}

static int client_of(const struct sockaddr_in *address) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  (void)connect(fd, (const struct sockaddr *)address, sizeof *address);
  return fd;
}

static int check_refusals(void) {
  struct sockaddr_in address;
  int fd = bound(SOCK_STREAM, &address);
  CLAIM(fd >= 0 && relay_open(&loop, fd, IPPROTO_ICMP, (union endpoint){.four = address}) == EPROTONOSUPPORT);
  CLAIM(relay_open(&loop, 1000, IPPROTO_TCP, (union endpoint){.four = address}) == EBADF);
  CLAIM(relay_open(&loop, fd, IPPROTO_TCP, (union endpoint){.four = address}) == 0);
  CLAIM(relay_open(&loop, fd, IPPROTO_TCP, (union endpoint){.four = address}) == EEXIST);
  return 0;
}

/* A target that cannot even be tried: who connects is told by a reset. */
static int check_unreachable(void) {
  struct sockaddr_in address, nowhere = {.sin_family = AF_INET, .sin_addr.s_addr = INADDR_BROADCAST};
  int listener = bound(SOCK_STREAM, &address);
  CLAIM(listener >= 0 && relay_open(&loop, listener, IPPROTO_TCP, (union endpoint){.four = nowhere}) == 0);
  int client = client_of(&address);
  char byte;
  for (int tries = 0; tries < 500 && recv(client, &byte, 1, 0) < 0 && errno == EAGAIN; tries++) run_for(10);
  CLAIM(recv(client, &byte, 1, 0) <= 0 && connection_count == 0);
  close(client);
  return 0;
}

/* Without descriptors clients wait, and the loop does not spin; with descriptors they are served. */
static int check_no_descriptors(void) {
  struct sockaddr_in address, target;
  int server = bound(SOCK_STREAM, &target), listener = bound(SOCK_STREAM, &address);
  CLAIM(server >= 0 && listener >= 0 && relay_open(&loop, listener, IPPROTO_TCP, (union endpoint){.four = target}) == 0);
  int client = client_of(&address), free_number = dup(0);
  close(free_number);
  struct rlimit before, none;
  CLAIM(getrlimit(RLIMIT_NOFILE, &before) == 0);
  none = before;
  none.rlim_cur = (rlim_t)free_number;
  CLAIM(setrlimit(RLIMIT_NOFILE, &none) == 0);
  struct rusage start, end;
  getrusage(RUSAGE_SELF, &start);
  run_for(3 * accept_pause);
  getrusage(RUSAGE_SELF, &end);
  CLAIM(connection_count == 0 && end.ru_nvcsw - start.ru_nvcsw < 100);
  CLAIM(setrlimit(RLIMIT_NOFILE, &before) == 0);
  int served = -1;
  for (int tries = 0; tries < 500 && served < 0; tries++) {
    run_for(10);
    served = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  }
  CLAIM(served >= 0 && connection_count == 1);
  close(client);
  close(served);
  for (int tries = 0; tries < 500 && connection_count > 0; tries++) run_for(10);
  CLAIM(connection_count == 0);
  return 0;
}

/* There are so many large pipes and no more; who comes later has an ordinary one, and what is left in one goes with it. */
static int check_pipes(void) {
  enum { count = most_large_pipes + 2 };
  struct flow flows[count];
  for (int i = 0; i < count; i++) {
    flows[i] = (struct flow){.pipe = {-1, -1, 0}};
    CLAIM(borrow_pipe(&flows[i]) == 0);
    CLAIM((size_t)fcntl(flows[i].pipe.read, F_GETPIPE_SZ) == flows[i].pipe.size);
    CLAIM(flows[i].pipe.size == (i < most_large_pipes ? large_pipe_size : pipe_size));
  }
  flows[0].held = (size_t)write(flows[0].pipe.write, "x", 1);
  return_pipe(&flows[0]);
  CLAIM(large_pipe_count == most_large_pipes - 1 && spare_pipe_count == 0);
  for (int i = 1; i < count; i++) return_pipe(&flows[i]);
  CLAIM(large_pipe_count == most_spare_pipes && spare_pipe_count == most_spare_pipes);
  return 0;
}

/* Who has not been heard of for long is forgotten, and nobody else. */
static int check_idle(void) {
  struct sockaddr_in address, target;
  int server = bound(SOCK_DGRAM, &target), fd = bound(SOCK_DGRAM, &address);
  struct relay relay = {.loop = &loop, .fd = fd, .target = {.four = target}};
  CLAIM(server >= 0 && fd >= 0 && prepare(fd, false) == 0 && loop_add(&loop, fd, EPOLLIN, relay_on_datagram, &relay) == 0);
  int senders[3];
  for (unsigned i = 0; i < 3; i++) {
    senders[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CLAIM(sendto(senders[i], "x", 1, 0, (struct sockaddr *)&address, sizeof address) == 1);
    for (int tries = 0; tries < 500 && relay.client_count <= i; tries++) run_for(10);
  }
  CLAIM(relay.client_count == 3 && relay.timer.callback == sweep);
  /* The last two: they stand in the order in which they were heard of. */
  relay.clients->next->heard -= client_idle;
  relay.clients->next->next->heard -= client_idle;
  sweep(&loop, &relay);
  CLAIM(relay.client_count == 1 && relay.timer.callback == sweep);
  relay.clients->heard -= client_idle;
  loop_timer_clear(&loop, &relay.timer);
  sweep(&loop, &relay);
  CLAIM(relay.client_count == 0 && relay.timer.callback == NULL);
  /* Without descriptors for an answer a datagram is lost, and nothing else. */
  int free_number = dup(0);
  close(free_number);
  struct rlimit before, none;
  CLAIM(getrlimit(RLIMIT_NOFILE, &before) == 0);
  none = before;
  none.rlim_cur = (rlim_t)free_number;
  CLAIM(sendto(senders[0], "y", 1, 0, (struct sockaddr *)&address, sizeof address) == 1);
  CLAIM(setrlimit(RLIMIT_NOFILE, &none) == 0);
  run_for(20);
  CLAIM(setrlimit(RLIMIT_NOFILE, &before) == 0 && relay.client_count == 0);
  return 0;
}

int main(void) {
  static int (*const checks[])(void) = {check_refusals, check_unreachable, check_no_descriptors, check_pipes,
                                         check_idle};
  signal(SIGPIPE, SIG_IGN);
  if (loop_init(&loop) < 0) return 255;
  int line = 0;
  for (size_t i = 0; line == 0 && i < sizeof checks / sizeof *checks; i++) line = checks[i]();
  loop_free(&loop);
  return line;
}
