/* An address and a port, of IPv4 or IPv6. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

union endpoint {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

/* From an address of 4 or 16 bytes; false for any other. */
static inline bool endpoint_set(union endpoint *endpoint, const void *address, size_t size, uint16_t port) {
  memset(endpoint, 0, sizeof *endpoint);
  if (size == sizeof endpoint->four.sin_addr) {
    endpoint->four.sin_family = AF_INET;
    endpoint->four.sin_port = htons(port);
    memcpy(&endpoint->four.sin_addr, address, size);
    return true;
  }
  if (size != sizeof endpoint->six.sin6_addr) return false;
  endpoint->six.sin6_family = AF_INET6;
  endpoint->six.sin6_port = htons(port);
  memcpy(&endpoint->six.sin6_addr, address, size);
  return true;
}
