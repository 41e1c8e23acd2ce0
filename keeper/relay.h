/* The userland relay: what the kernel does not forward (a published port's loopback addresses) is passed on by us. */
#pragma once

#include "endpoint.h"
#include "loop.h"

/* Whatever arrives at the bound (and, for a stream, listening) socket is passed on to the target and back, for as long
 * as the process lives; the socket is non-blocking from here on. The protocol is IPPROTO_TCP or IPPROTO_UDP; the two may
 * be of different families. Returns 0 or an error number. SIGPIPE must be blocked or ignored. */
int relay_open(struct loop *loop, int bound_fd, int protocol, union endpoint target);
/* What comes to the socket from now on is passed on to the target; streams that are open go on to where they go. False:
 * nothing is passed on from this socket. */
bool relay_move(int bound_fd, union endpoint target);
/* Nothing that comes to the socket is passed on any more; streams that are open go on. The socket stays the caller's. */
void relay_close(struct loop *loop, int bound_fd);
