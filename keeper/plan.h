/* A plan as it lies in its file (docs/formats/plan.md), checked once and then read in place. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ARGUMENT_LIMIT 8
#define TOLERATE_LIMIT 4
#define LANE_COUNT 3

struct argument {
  uint64_t number;     /* number, slot (all ones: none); the count of a list */
  const char *bytes;   /* text, bytes, list of texts: NUL-terminated */
  size_t length;       /* of the bytes, without the last NUL */
  const char *numbers; /* list of numbers, unaligned */
};

struct step {
  uint16_t code;
  uint16_t tolerate[TOLERATE_LIMIT];
  const unsigned char *arguments;
};

struct plan {
  void *file;
  size_t size;
  struct step *steps[LANE_COUNT];
  uint32_t counts[LANE_COUNT];
};

/* 0, or an error number: EBADMSG for anything that the encoder would not have written. */
int plan_open(struct plan *plan, const char *path);
/* Nothing may point into it any more. */
void plan_close(struct plan *plan);
void plan_arguments(const struct step *step, struct argument *arguments);
uint64_t plan_number(const struct argument *list, size_t index);
/* The texts of a list, with a null pointer behind the last; allocated, or a null pointer. */
char **plan_texts(const struct argument *list);
