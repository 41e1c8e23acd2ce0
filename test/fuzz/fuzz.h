/* What every target is made of: an input goes in, and what must hold holds, or the process ends. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The name and shape are libFuzzer's, so that a target can be linked with it too. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define MUST(what)                                                        \
  do {                                                                    \
    if (!(what)) {                                                        \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what); \
      abort();                                                            \
    }                                                                     \
  } while (0)

/* An input as a script: bytes are taken from its beginning; zeroes behind its end. */
struct script {
  const uint8_t *at, *end;
};

static inline uint8_t take_byte(struct script *script) { return script->at < script->end ? *script->at++ : 0; }

static inline const uint8_t *take_bytes(struct script *script, size_t wanted, size_t *size) {
  size_t left = (size_t)(script->end - script->at);
  const uint8_t *at = script->at;
  *size = wanted < left ? wanted : left;
  script->at += *size;
  return at;
}
