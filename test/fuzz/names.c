/* Who asks for names, and who is asked: containers, a daemon and servers that say anything at any time, and go. Whoever
 * asked is answered at most once, by an answer to his question, and in the end nothing is kept. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../../keeper/answer.c"
#include "../../keeper/loop.c"
#include "../../keeper/tables.c"
#include "../../keeper/names.c"
#include "fuzz.h"

enum { asker_count = 4, piece_limit = 600 };

static struct keeper self;
static struct sockaddr_in datagram_place, stream_place;
static int daemon_listener, daemon_end = -1, server_datagram, server_stream, server_end = -1;
static int datagram_askers[asker_count], stream_askers[asker_count];
static unsigned asked, answered, runs, passed_on;
static uint8_t last_seen[piece_limit];
static size_t last_seen_size;

static int bound(int type, struct sockaddr_in *address) {
  socklen_t size = sizeof *address;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  MUST(fd >= 0 && bind(fd, (struct sockaddr *)address, size) == 0);
  MUST(type != SOCK_STREAM || listen(fd, 64) == 0);
  MUST(getsockname(fd, (struct sockaddr *)address, &size) == 0);
  return fd;
}

/* One table: the name a, the daemon's path, and a server (the same port for both kinds). */
static void write_table(const char *path, const char *daemon, uint16_t port) {
  uint8_t bytes[512] = NAMES_MAGIC, *at = bytes + TABLE_HEADER;
  size_t length = strlen(daemon);
  const uint8_t known[] = {6 + 3 + 12, 0, 1, 0, 3, 2, 1, 'a', 0, 4, 0, 10, 0, 0, 1, 4, 0, 10, 0, 0, 2};
  memcpy(at, known, sizeof known);
  at += sizeof known;
  const uint8_t place[] = {(uint8_t)(9 + length), 0, NAMES_RESOLVER & 255, NAMES_RESOLVER >> 8, 1, 1, 0, (uint8_t)length, 0};
  memcpy(at, place, sizeof place);
  memcpy(at + sizeof place, daemon, length);
  at += sizeof place + length;
  const uint8_t server[] = {16, 0, NAMES_SERVER & 255, NAMES_SERVER >> 8, 1, 1, 0, 7, 0, 0};
  memcpy(at, server, sizeof server);
  memcpy(at + 10, &port, 2);
  memcpy(at + 12, (const uint8_t[]){127, 0, 0, 1}, 4);
  at += 16;
  memcpy(bytes + 8, (const uint32_t[]){NAMES_VERSION, (uint32_t)(at - bytes)}, 8);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  MUST(fd >= 0 && write(fd, bytes, (size_t)(at - bytes)) == at - bytes);
  close(fd);
}

static char directory[] = "/tmp/pier-fuzz-names-XXXXXX", table[64], daemon_path[64];

static void begin(void) {
  struct sockaddr_in place;
  signal(SIGPIPE, SIG_IGN);
  MUST(mkdtemp(directory) != NULL && loop_init(&self.loop) == 0);
  snprintf(table, sizeof table, "%s/table", directory);
  snprintf(daemon_path, sizeof daemon_path, "%s/daemon", directory);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, daemon_path, strlen(daemon_path));
  daemon_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  MUST(bind(daemon_listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(daemon_listener, 64) == 0);
  server_stream = bound(SOCK_STREAM, &place);
  server_datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  MUST(bind(server_datagram, (struct sockaddr *)&place, sizeof place) == 0);
  write_table(table, daemon_path, place.sin_port);
  int datagrams = bound(SOCK_DGRAM, &datagram_place);
  MUST(names_open(&self, datagrams, bound(SOCK_STREAM, &stream_place), table) == 0);
  MUST(tables[0].bytes != NULL && server_count == 1);
  for (int i = 0; i < asker_count; i++) datagram_askers[i] = stream_askers[i] = -1;
}

static void turn(void) {
  struct epoll_event events[events_at_once];
  for (int round = 0; round < 64; round++) {
    int count = epoll_wait(self.loop.epoll, events, events_at_once, 0);
    if (count <= 0) return;
    for (int i = 0; i < count; i++) dispatch(&self.loop, &events[i]);
  }
}

static void drop(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static int asker(int *fd, int type, const struct sockaddr_in *place) {
  if (*fd >= 0) return *fd;
  *fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  (void)connect(*fd, (const struct sockaddr *)place, sizeof *place);
  return *fd;
}

/* What somebody answers is often what was asked, with the mark of an answer. */
static size_t make_answer(struct script *script, uint8_t *bytes, size_t limit) {
  size_t size;
  if ((take_byte(script) & 3) == 0 || last_seen_size == 0) {
    const uint8_t *from = take_bytes(script, take_byte(script), &size);
    size = size < limit ? size : limit;
    memcpy(bytes, from, size);
    return size;
  }
  size = last_seen_size < limit ? last_seen_size : limit;
  memcpy(bytes, last_seen, size);
  if (size > 2) bytes[2] |= 0x80;
  return size;
}

static void remember(const uint8_t *bytes, ssize_t size, size_t skip) {
  if (size <= (ssize_t)skip) return;
  last_seen_size = (size_t)size - skip;
  memcpy(last_seen, bytes + skip, last_seen_size);
}

static void daemon_acts(struct script *script) {
  uint8_t bytes[piece_limit], frame[8 + piece_limit];
  uint32_t head[3] = {0};
  if (daemon_end < 0) daemon_end = accept4(daemon_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (daemon_end < 0) return;
  ssize_t got = recv(daemon_end, bytes, sizeof bytes, 0);
  if (got >= 12) memcpy(head, bytes, sizeof head);
  remember(bytes, got < (ssize_t)head[0] + 4 ? got : (ssize_t)head[0] + 4, 12);
  size_t size = make_answer(script, frame + 8, piece_limit);
  head[0] = (uint32_t)size + 4 + ((take_byte(script) & 15) == 1);
  memcpy(frame, head, 8);
  (void)send(daemon_end, frame, size + 8, MSG_NOSIGNAL);
  if ((take_byte(script) & 7) == 1) drop(&daemon_end);
}

static void server_acts(struct script *script) {
  uint8_t bytes[piece_limit], answer[2 + piece_limit];
  struct sockaddr_in from;
  socklen_t from_size = sizeof from;
  ssize_t got = recvfrom(server_datagram, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_size);
  remember(bytes, got, 0);
  if (got > 0) (void)sendto(server_datagram, answer, make_answer(script, answer, piece_limit), 0, (struct sockaddr *)&from, from_size);
  if (server_end < 0) server_end = accept4(server_stream, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (server_end < 0) return;
  remember(bytes, recv(server_end, bytes, sizeof bytes, 0), 2);
  size_t size = make_answer(script, answer + 2, piece_limit);
  answer[0] = (uint8_t)(size >> 8);
  answer[1] = (uint8_t)size;
  (void)send(server_end, answer, size + 2, MSG_NOSIGNAL);
  if ((take_byte(script) & 1) == 1) drop(&server_end);
}

static void hear(int fd) {
  uint8_t bytes[2048];
  ssize_t size = fd < 0 ? -1 : recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (size <= 0) return;
  MUST((bytes[2] & 0x80) != 0);
  answered++;
}

/* Whoever waited too long. */
static void pass_time(void) {
  if (exchanges != NULL && exchanges->timer.callback != NULL) {
    loop_timer_clear(&self.loop, &exchanges->timer);
    on_late(&self.loop, exchanges);
  }
  resolver.quiet_until = 0;
}

static void ask(struct script *script, int who, bool stream) {
  uint8_t bytes[2 + piece_limit];
  size_t size;
  uint8_t kind = take_byte(script);
  const uint8_t *from = take_bytes(script, take_byte(script), &size);
  memcpy(bytes + 2, from, size);
  /* Most are questions: one, in the right form. */
  if ((kind & 3) != 0 && size >= DNS_HEADER) {
    bytes[4] &= 0x07;
    memcpy(bytes + 6, (const uint8_t[]){0, 1}, 2);
  }
  bytes[0] = (uint8_t)(size >> 8);
  bytes[1] = (uint8_t)size;
  int fd = stream ? asker(&stream_askers[who], SOCK_STREAM, &stream_place)
                  : asker(&datagram_askers[who], SOCK_DGRAM, &datagram_place);
  if (send(fd, stream ? bytes : bytes + 2, stream ? size + 2 : size, MSG_NOSIGNAL) >= 0) asked++;
}

static void act(struct script *script) {
  uint8_t what = take_byte(script);
  int who = what >> 4 & 3;
  switch (what & 7) {
    case 0:
    case 1: return ask(script, who, false);
    case 2: return ask(script, who, true);
    case 3: return daemon_acts(script);
    case 4: return server_acts(script);
    case 5: return pass_time();
    case 6: return drop((what & 8) != 0 ? &stream_askers[who] : &daemon_end);
    default: hear(datagram_askers[who]);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct script script = {bytes, bytes + (size < 1024 ? size : 1024)};
  if (self.loop.watches == NULL) begin();
  asked = answered = 0;
  while (script.at < script.end) {
    act(&script);
    turn();
    if (exchanges != NULL) passed_on++;
  }
  runs++;
  for (int i = 0; i < asker_count; i++) hear(datagram_askers[i]);
  MUST(answered <= asked);
  for (int i = 0; i < asker_count; i++) drop(&stream_askers[i]), drop(&datagram_askers[i]);
  drop(&daemon_end), drop(&server_end);
  for (int tries = 0; tries < 100000 && (exchanges != NULL || clients != NULL); tries++) {
    turn();
    pass_time();
  }
  MUST(exchange_count == 0 && client_count == 0 && exchanges == NULL && clients == NULL);
  turn();
  close_resolver();
  for (int fd; (fd = accept4(daemon_listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) close(fd);
  for (int fd; (fd = accept4(server_stream, NULL, NULL, SOCK_CLOEXEC)) >= 0;) close(fd);
  return 0;
}

/* The table is there to the end: a keeper whose table is gone knows of nobody whom it could ask. */
__attribute__((destructor)) static void leave(void) {
  MUST(runs < 1000 || passed_on > 0);
  unlink(table);
  unlink(daemon_path);
  (void)rmdir(directory);
}
