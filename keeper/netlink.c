/* Netlink messages as the plan has them: sent in one piece, and answered by the kernel before the send returns. */
#include "netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"

#define ANSWER_SIZE 65536
/* The kernel's MAX_ERRNO, and one. */
#define ERROR_LIMIT 4096

bool netlink_next(struct netlink_rest *rest, struct netlink_message *message) {
  struct nlmsghdr *header = &message->header;
  if (rest->size < sizeof *header) return false;
  memcpy(header, rest->at, sizeof *header);
  if (header->nlmsg_len < sizeof *header || header->nlmsg_len > rest->size) return false;
  message->payload = rest->at + sizeof *header;
  message->size = header->nlmsg_len - sizeof *header;
  size_t step = NLMSG_ALIGN(header->nlmsg_len);
  if (step > rest->size) step = rest->size;
  rest->at += step;
  rest->size -= step;
  return true;
}

/* How many of the messages ask for an answer. */
static unsigned count_asked(struct netlink_rest messages) {
  unsigned asked = 0;
  struct netlink_message message;
  while (netlink_next(&messages, &message))
    if ((message.header.nlmsg_flags & NLM_F_ACK) != 0) asked++;
  return asked;
}

/* The first error among the answers in one datagram, or 0; each answer is counted. */
static int first_error(struct netlink_rest answers, unsigned *answered) {
  int error = 0;
  struct netlink_message answer;
  while (netlink_next(&answers, &answer)) {
    if (answer.header.nlmsg_type != NLMSG_ERROR) continue;
    int32_t code;
    if (answer.size < sizeof code) break;
    memcpy(&code, answer.payload, sizeof code);
    if (code != 0 && error == 0) error = code > -ERROR_LIMIT && code < 0 ? -code : EPROTO;
    ++*answered;
  }
  return error;
}

static int read_answers(int fd, unsigned asked) {
  static char answers[ANSWER_SIZE];
  unsigned answered = 0;
  for (;;) {
    ssize_t size = recv(fd, answers, sizeof answers, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != EAGAIN) return errno;
    if (size <= 0) return answered >= asked ? 0 : EPROTO;
    int error = first_error((struct netlink_rest){answers, (size_t)size}, &answered);
    if (error != 0) return error;
  }
}

static char *with_pid(const struct keeper *k, const struct argument *messages, const struct argument *places) {
  char *copy = malloc(messages->length + 1);
  if (copy == NULL) return NULL;
  memcpy(copy, messages->bytes, messages->length);
  uint32_t pid = (uint32_t)k->child;
  for (size_t i = 0; i < places->number; i++) {
    uint64_t at = plan_number(places, i);
    if (at <= messages->length && messages->length - at >= sizeof pid) memcpy(copy + at, &pid, sizeof pid);
  }
  return copy;
}

int step_netlink(struct keeper *k, const struct argument *a) {
  const struct argument *messages = &a[NETLINK_MESSAGES];
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, (int)a[NETLINK_PROTOCOL].number);
  if (fd < 0) return errno;
  char *bytes = with_pid(k, messages, &a[NETLINK_PID_AT]);
  int error = bytes == NULL ? ENOMEM : 0;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (error == 0 && sendto(fd, bytes, messages->length, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) error = errno;
  if (error == 0) error = read_answers(fd, count_asked((struct netlink_rest){messages->bytes, messages->length}));
  free(bytes);
  close(fd);
  return error;
}
