/* What relays of streams and of datagrams have in common. */
#pragma once

#include "endpoint.h"
#include "loop.h"

struct relay {
  struct relay *next;
  struct loop *loop;
  int fd;
  union endpoint target;
  struct loop_timer timer; /* streams: when to accept again; datagrams: when to look for idle clients */
  struct client *clients;  /* the one heard of last first */
  unsigned client_count;
};

/* A socket that is connected to the target, or will be; -1 with errno. */
int relay_connect(const union endpoint *target, int type, int protocol);

/* Datagrams have come: to be called by the loop, with the relay. */
loop_callback relay_on_datagram;
/* Answers to earlier datagrams are not passed on any more. */
void relay_forget_clients(struct relay *relay);
