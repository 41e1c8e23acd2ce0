/* The lanes meet here: a pair of sockets between the keeper and the child that it cloned. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"

#define DATA_LIMIT 65536

int sync_send(int fd, struct sync_message message, const void *data, size_t size, int passed) {
  /* sendmsg wants pointers to writable memory and writes to none of it. */
  void *bytes;
  memcpy(&bytes, &data, sizeof bytes);
  struct iovec parts[2] = {{&message, sizeof message}, {bytes, size}};
  struct msghdr header = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {0};
  if (passed >= 0) {
    header.msg_control = control.room;
    header.msg_controllen = sizeof control.room;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &passed, sizeof passed);
  }
  /* Without descriptors a plain write does: a narrow seccomp profile may not allow sendmsg to a process that is already
   * filtered. */
  if (passed < 0 && size == 0) return write(fd, &message, sizeof message) < 0 ? errno : 0;
  return sendmsg(fd, &header, MSG_NOSIGNAL) < 0 ? errno : 0;
}

ssize_t sync_receive(int fd, struct sync_message *message, void *data, size_t size, int *passed) {
  struct iovec parts[2] = {{message, sizeof *message}, {data, size}};
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr header = {
      .msg_iov = parts, .msg_iovlen = 2, .msg_control = control.room, .msg_controllen = sizeof control.room};
  *passed = -1;
  ssize_t got;
  /* A child that ended with a message unread makes this fail once (unix(7)); what it said before is still there. */
  do got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
  while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < (ssize_t)sizeof *message) return -1;
  struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
  if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
    memcpy(passed, CMSG_DATA(rights), sizeof *passed);
  return got - (ssize_t)sizeof *message;
}

bool sync_absorb(struct keeper *k, const struct sync_message *message, const void *data, size_t size, int passed) {
  int error = 0;
  if (message->kind == SYNC_BYTES) say_bytes(k, message->index, data, size);
  else if (message->kind == SYNC_TERMINAL) error = stream_terminal(k, passed);
  else return false;
  if (error != 0) give_up(k, error);
  return true;
}

int sync_release(struct keeper *k, uint32_t point) {
  struct sync_message message = {.kind = SYNC_POINT, .index = point};
  return sync_send(k->sync, message, NULL, 0, -1);
}

static char received[DATA_LIMIT];

/* The next message that is not dealt with at once; ECHILD when there will be none, because the child has failed, which
 * is told, or died without a word. */
static int sync_hear(struct keeper *k, struct sync_message *message) {
  int passed;
  ssize_t size = sync_receive(k->sync, message, received, sizeof received, &passed);
  if (size < 0) return ECHILD;
  if (sync_absorb(k, message, received, (size_t)size, passed)) return EAGAIN;
  if (message->kind != SYNC_FAILED) return 0;
  say_failed(k, LANE_INSIDE, message->index, message->error);
  return ECHILD;
}

int sync_await(struct keeper *k, uint32_t point) {
  struct sync_message message;
  int error;
  do error = sync_hear(k, &message);
  while (error == EAGAIN);
  if (error != 0) return error;
  return message.kind == SYNC_POINT && message.index == point ? 0 : EPROTO;
}

/* Milliseconds between a dying process's leaving its namespaces and the closing of its descriptors, at the most. */
#define DYING 1000

bool sync_is_over(struct keeper *k, int error) {
  struct sync_message message;
  if (k->child == 0) return false; /* it was never made, and the other end is closed all the same */
  /* Nobody there: it is about to be gone (do_exit leaves the namespaces first). */
  int patience = error == ESRCH ? DYING : 0;
  while (poll(&(struct pollfd){.fd = k->sync, .events = POLLIN}, 1, patience) > 0)
    if (sync_hear(k, &message) == ECHILD) return true;
  return false;
}
