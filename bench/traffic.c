/* What the bench sends, where a client in TypeScript would measure itself: small requests, and questions for names.
 * Says in microseconds, as JSON, how long they took: the median and all together. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { request_size = 100, question_size = 512, answer_size = 4096, most_at_once = 256 };

static void fail(const char *what) {
  fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
  exit(EXIT_FAILURE);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static struct sockaddr_in address_of(const char *text, unsigned long port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) fail(text);
  return address;
}

static int open_socket(int type) {
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const struct timeval patience = {.tv_sec = 5};
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) fail("socket");
  return fd;
}

static double *open_times(unsigned long count) {
  double *times = count == 0 ? NULL : calloc(count, sizeof *times);
  if (times == NULL) fail("no room for so many times");
  return times;
}

static int compare(const void *a, const void *b) {
  double x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

static void say(double *times, unsigned long count, double all) {
  qsort(times, count, sizeof *times, compare);
  printf("{\"median\":%.1f,\"all\":%.1f}\n", times[count / 2], all);
}

/* Each request is sent back, then the client closes. */
static void serve(unsigned long port) {
  struct sockaddr_in address = address_of("0.0.0.0", port);
  int listener = open_socket(SOCK_STREAM);
  const struct timeval for_ever = {0};
  setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof for_ever);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 128) != 0) fail("listen");
  for (;;) {
    char bytes[request_size];
    int client = accept(listener, NULL, NULL);
    if (client < 0) fail("accept");
    for (ssize_t size; (size = read(client, bytes, sizeof bytes)) > 0;)
      if (write(client, bytes, (size_t)size) != size) break;
    close(client);
  }
}

/* A connection of its own for each, as most requests have; until all of it is back. */
static void request(const struct sockaddr_in *address) {
  char bytes[request_size] = "";
  int fd = open_socket(SOCK_STREAM);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) fail("connect");
  if (write(fd, bytes, sizeof bytes) != sizeof bytes) fail("write");
  if (recv(fd, bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes) fail("read");
  close(fd);
}

static void ask(const struct sockaddr_in *address, unsigned long count) {
  double *times = open_times(count), start = now();
  for (unsigned long i = 0; i < count; i++) {
    double before = now();
    request(address);
    times[i] = now() - before;
  }
  say(times, count, now() - start);
}

/* A question for the IPv4 addresses of the name (RFC 1035, 4.1), without its number. */
static size_t write_question(uint8_t *out, const char *name) {
  static const uint8_t head[12] = {0, 0, 1, 0, 0, 1}; /* recursion is desired; one question */
  static const uint8_t tail[] = {0, 0, 1, 0, 1};      /* the end of the name; A, IN */
  size_t length = strlen(name);
  if (length > 63) fail(name);
  memcpy(out, head, sizeof head);
  out[sizeof head] = (uint8_t)length;
  memcpy(out + sizeof head + 1, name, length);
  memcpy(out + sizeof head + 1 + length, tail, sizeof tail);
  return sizeof head + 1 + length + sizeof tail;
}

static void send_question(int fd, uint8_t *question, size_t size, uint16_t number) {
  memcpy(question, &number, sizeof number);
  if (send(fd, question, size, 0) != (ssize_t)size) fail("send");
}

static uint16_t read_answer(int fd) {
  uint8_t answer[answer_size];
  uint16_t number;
  ssize_t size = recv(fd, answer, sizeof answer, 0);
  if (size < 0) fail("no answer");
  /* One that knows: no error, and at least one address. */
  if (size < 12 || (answer[3] & 0x0f) != 0 || answer[7] == 0) {
    errno = ENOENT;
    fail("an answer that knows nothing");
  }
  memcpy(&number, answer, sizeof number);
  return number;
}

/* So many questions are under way at any time, told apart by their numbers. */
static void names(const struct sockaddr_in *server, const char *name, unsigned long count, unsigned long at_once) {
  static double asked[most_at_once];
  uint8_t question[question_size];
  size_t size = write_question(question, name);
  int fd = open_socket(SOCK_DGRAM);
  if (at_once == 0 || at_once > most_at_once) fail("too many at once");
  if (connect(fd, (const struct sockaddr *)server, sizeof *server) != 0) fail("connect");
  double *times = open_times(count), start = now();
  for (uint16_t i = 0; i < at_once; i++) {
    asked[i] = now();
    send_question(fd, question, size, i);
  }
  for (unsigned long answered = 0; answered < count; answered++) {
    uint16_t number = read_answer(fd);
    if (number >= at_once) fail("an answer to another question");
    times[answered] = now() - asked[number];
    asked[number] = now();
    send_question(fd, question, size, number);
  }
  say(times, count, now() - start);
}

int main(int count, char **args) {
  const char *verb = count > 1 ? args[1] : "";
  if (count == 3 && strcmp(verb, "serve") == 0) serve(strtoul(args[2], NULL, 10));
  if (count == 5 && strcmp(verb, "ask") == 0) {
    struct sockaddr_in address = address_of(args[2], strtoul(args[3], NULL, 10));
    ask(&address, strtoul(args[4], NULL, 10));
    return 0;
  }
  if (count == 6 && strcmp(verb, "names") == 0) {
    struct sockaddr_in server = address_of(args[2], 53);
    names(&server, args[3], strtoul(args[4], NULL, 10), strtoul(args[5], NULL, 10));
    return 0;
  }
  fputs("traffic serve PORT | ask ADDRESS PORT COUNT | names SERVER NAME COUNT AT-ONCE\n", stderr);
  return 2;
}
