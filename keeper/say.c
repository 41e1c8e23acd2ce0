/* To the daemon: frames of type, length and payload (src/kernel/messages.ts). */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"

int write_all(int fd, const void *bytes, size_t size) {
  const char *at = bytes;
  while (size > 0) {
    ssize_t wrote = write(fd, at, size);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno;
    at += wrote;
    size -= (size_t)wrote;
  }
  return 0;
}

/* The connection that the keeper inherited is waited for: whole files go over it, and a daemon that is busy for a while
 * must not lose a part of one. Those that were accepted never are: who leaves that much unread is as good as gone, and a
 * frame that was cut short must be the last. */
void say_to(const struct keeper *k, int fd, uint32_t type, const void *payload, size_t size) {
  if (fd < 0) return;
  uint32_t header[2] = {type, (uint32_t)size};
  void *bytes;
  memcpy(&bytes, &payload, sizeof bytes);
  struct iovec parts[2] = {{header, sizeof header}, {bytes, size}};
  size_t left = sizeof header + size;
  while (left > 0) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN && fd == k->daemon) {
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
      continue;
    }
    if (sent < 0) {
      shutdown(fd, SHUT_RDWR);
      return;
    }
    left -= (size_t)sent;
    for (int i = 0; i < 2; i++) {
      size_t taken = (size_t)sent < parts[i].iov_len ? (size_t)sent : parts[i].iov_len;
      parts[i].iov_base = (char *)parts[i].iov_base + taken;
      parts[i].iov_len -= taken;
      sent -= (ssize_t)taken;
    }
  }
}

void say(struct keeper *k, uint32_t type, const void *payload, size_t size) {
  say_to(k, k->daemon, type, payload, size);
}

void say_failed(struct keeper *k, uint32_t lane, uint32_t index, int error) {
  struct {
    uint32_t lane, index;
    int32_t error;
  } payload = {lane, index, error};
  say(k, SAY_FAILED, &payload, sizeof payload);
}

void say_bytes(struct keeper *k, uint32_t index, const void *bytes, size_t size) {
  static char payload[4 + 65536];
  memcpy(payload, &index, 4);
  memcpy(payload + 4, bytes, size);
  say(k, SAY_BYTES, payload, 4 + size);
}
