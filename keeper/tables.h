/* The tables of names that the daemon wrote, the container's own and those that it leads to, as they are at this moment. */
#pragma once

#include "answer.h"
#include "endpoint.h"

struct server {
  bool inside; /* asked from the container's network */
  union endpoint address;
};

/* 0 or an error number. A table that is not there has nothing in it. */
int tables_open(const char *path);
/* What was written since the last time counts from now on, and pointers into what was before are no more. */
void tables_refresh(void);
/* As names_find, in all of them. */
int tables_find(const struct question *question, struct name_entry *found);
/* Where the daemon answers, or null. */
const char *tables_resolver(void);
size_t tables_servers(const struct server **servers);
/* The network namespace that the process began in. */
int tables_home(void);
