/* A change while the container runs: a further plan beside the container's own, `<plan>.next`. Its outside lane is run; its
 * after lane, which is the whole one, takes the place of the last. All of it happens, or what it opened is closed again. A
 * keeper that stays without a container does one errand after the other so. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper.h"
#include "relay.h"

#define PATH_LIMIT 4096

/* What the lanes worked with is not kept for the container's life: an open directory or mount keeps a disk from being
 * unmounted. Sockets stay, they are the published ports. */
void hold_sockets(struct keeper *k) {
  for (size_t slot = 0; slot < SLOT_LIMIT; slot++) {
    struct stat status;
    int fd = k->slots[slot];
    if (fd < 0) continue;
    k->slots[slot] = -1;
    bool is_socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    if (is_socket && k->held_count < SLOT_LIMIT) k->held[k->held_count++] = fd;
    else close(fd);
  }
}

/* The port is free, but the number as a descriptor stays taken, because relays go by it. */
static void free_port(struct keeper *k, int fd) {
  int nothing = eventfd(0, EFD_CLOEXEC);
  loop_remove(&k->loop, fd);
  if (nothing < 0) return;
  dup3(nothing, fd, O_CLOEXEC);
  close(nothing);
}

void free_ports(struct keeper *k) {
  for (size_t i = 0; i < k->held_count; i++) free_port(k, k->held[i]);
}

static void drop_slots(struct keeper *k) {
  for (size_t slot = 0; slot < SLOT_LIMIT; slot++) {
    if (k->slots[slot] < 0) continue;
    relay_close(&k->loop, k->slots[slot]);
    close(k->slots[slot]);
    k->slots[slot] = -1;
  }
}

static bool is_bound_to(int fd, int protocol, const union endpoint *wanted) {
  union endpoint bound = {0};
  int own = 0;
  socklen_t size = sizeof bound, own_size = sizeof own;
  if (getsockname(fd, &bound.any, &size) != 0 || getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &own, &own_size) != 0) return false;
  if (own != protocol || bound.any.sa_family != wanted->any.sa_family) return false;
  if (bound.four.sin_port != wanted->four.sin_port) return false; /* both families have it there */
  return bound.any.sa_family == AF_INET
             ? bound.four.sin_addr.s_addr == wanted->four.sin_addr.s_addr
             : memcmp(&bound.six.sin6_addr, &wanted->six.sin6_addr, sizeof bound.six.sin6_addr) == 0;
}

/* The place of the socket among those that are held; held_count: there is none. */
static size_t find_bound(const struct keeper *k, int protocol, const union endpoint *wanted) {
  size_t i = 0;
  while (i < k->held_count && !is_bound_to(k->held[i], protocol, wanted)) i++;
  return i;
}

int step_close_port(struct keeper *k, const struct argument *a) {
  union endpoint wanted;
  if (!endpoint_set(&wanted, a[CLOSE_PORT_ADDRESS].bytes, a[CLOSE_PORT_ADDRESS].length, (uint16_t)a[CLOSE_PORT_PORT].number))
    return EAFNOSUPPORT;
  size_t i = find_bound(k, (int)a[CLOSE_PORT_PROTOCOL].number, &wanted);
  if (i == k->held_count) return ENOENT;
  relay_close(&k->loop, k->held[i]);
  close(k->held[i]);
  k->held[i] = k->held[--k->held_count];
  return 0;
}

int step_move_relay(struct keeper *k, const struct argument *a) {
  union endpoint wanted, target;
  const struct argument *to = &a[MOVE_RELAY_TARGET];
  if (!endpoint_set(&wanted, a[MOVE_RELAY_ADDRESS].bytes, a[MOVE_RELAY_ADDRESS].length, (uint16_t)a[MOVE_RELAY_PORT].number) ||
      !endpoint_set(&target, to->bytes, to->length, (uint16_t)a[MOVE_RELAY_TARGET_PORT].number))
    return EAFNOSUPPORT;
  size_t i = find_bound(k, (int)a[MOVE_RELAY_PROTOCOL].number, &wanted);
  return i < k->held_count && relay_move(k->held[i], target) ? 0 : ENOENT;
}

int step_stay(struct keeper *k, const struct argument *a) {
  (void)a;
  k->stays = true;
  return 0;
}

int change(struct keeper *k, uint32_t *at) {
  char next[PATH_LIMIT];
  struct plan before = k->plan, plan = {0};
  int length = snprintf(next, sizeof next, "%s.next", k->plan_path);
  *at = UINT32_MAX;
  if (k->phase != PHASE_RUNNING) return ESRCH;
  if (length < 0 || (size_t)length >= sizeof next) return ENAMETOOLONG;
  int error = plan_open(&plan, next);
  if (error != 0) return error;
  k->plan = plan;
  error = run_lane(k, LANE_OUTSIDE, at);
  /* Whoever takes away what a killed keeper left goes by the file: from here on it is this one. */
  if (error == 0) error = error_of(rename(next, k->plan_path));
  if (error == 0) {
    hold_sockets(k);
    /* The first plan stays: the log's and the exit file's paths lie in it. */
    if (k->changed) plan_close(&before);
    k->changed = true;
    return 0;
  }
  k->plan = before;
  drop_slots(k);
  plan_close(&plan);
  return error;
}
