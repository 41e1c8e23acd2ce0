/* Names: questions as they come over the wire, and tables of ready answers (docs/formats/names.md). Pure: bytes in, bytes
 * out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steps.h"

#define DNS_HEADER 12U
#define DNS_NAME_LIMIT 255U

enum { RCODE_FINE = 0, RCODE_FORMAT = 1, RCODE_FAILURE = 2, RCODE_UNKNOWN = 4 };

struct question {
  uint8_t name[DNS_NAME_LIMIT]; /* as on the wire, in lower case */
  size_t name_size;
  uint16_t type;
  size_t end; /* of the question in the message; 0: there is none */
};

/* A table's entry; everything points into the table. */
struct name_entry {
  uint16_t type;
  const uint8_t *name;
  size_t name_size;
  unsigned count;
  const uint8_t *data; /* count times: u16 size, bytes */
};

/* RCODE_FINE, or why this is no question that can be looked up; -1 when nobody waits for an answer. */
int question_parse(const uint8_t *message, size_t size, struct question *question);

/* Whether the table is one: what the functions below then read lies in it. */
bool names_check(const uint8_t *table, size_t size);
/* The entry at *at, which moves on from 0; false at the end. */
bool names_next(const uint8_t *table, size_t size, size_t *at, struct name_entry *entry);
/* The next of an entry's values, which *at goes through from entry->data on. */
const uint8_t *names_value(const uint8_t **at, uint16_t *size);

/* 1: `found` is what was asked for. 0: the name is known, and has nothing of this type. -1: it is not known here. */
int names_find(const uint8_t *table, size_t size, const struct question *question, struct name_entry *found);

/* The answers, beginning with the one whose turn it is; with nothing found, none. What does not fit is left out, and the
 * answer says so. The message's size; `out` has room for `limit` bytes, more than the question. */
size_t answer_write(const uint8_t *message, const struct question *question, const struct name_entry *found,
                    unsigned turn, uint8_t *out, size_t limit);
/* An answer that says only what was wrong. */
size_t answer_refusal(const uint8_t *message, size_t size, int rcode, uint8_t *out);
