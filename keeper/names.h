/* Who asks 127.0.0.11 in the container's network: the tables answer, or the daemon, or the servers that they name. */
#pragma once

#include "keeper.h"

/* Serves the bound sockets for as long as the container lives; they are non-blocking. 0 or an error number. */
int names_open(struct keeper *k, int datagrams, int streams, const char *table);
