/* Netlink messages, one behind the other, as the kernel takes and tells them. */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>

struct netlink_rest {
  const char *at;
  size_t size;
};

struct netlink_message {
  struct nlmsghdr header;
  const char *payload;
  size_t size; /* of the payload */
};

/* Takes the next one off the rest; false at its end, and where one says that it is longer than what is there. */
bool netlink_next(struct netlink_rest *rest, struct netlink_message *message);
