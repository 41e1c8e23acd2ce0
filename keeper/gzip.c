/* Deflate (RFC 1951) with its fixed codes: a log repeats itself line by line, and what is found again counts for more than
 * codes made to measure. One block, whose matches are the longest among the last few with the same beginning. */
#include "gzip.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW 32768U
#define HASH_BITS 15
#define TRIES 24
#define SHORTEST 4U
#define LONGEST 258U
#define END_OF_BLOCK 256U

static struct {
  int fd, error;
  uint64_t bits; /* not written yet, the lowest first */
  unsigned count;
  size_t used;
  unsigned char bytes[65536];
} out;

/* Where each hash was seen last, and before that, modulo 2^32 and one too high: 0 is nowhere. */
static uint32_t newest[1U << HASH_BITS], older[WINDOW];

static void flush(void) {
  for (size_t done = 0; done < out.used && out.error == 0;) {
    ssize_t wrote = write(out.fd, out.bytes + done, out.used - done);
    if (wrote > 0) done += (size_t)wrote;
    else if (errno != EINTR) out.error = wrote < 0 ? errno : EIO;
  }
  out.used = 0;
}

static void put_byte(unsigned value) {
  if (out.used == sizeof out.bytes) flush();
  out.bytes[out.used++] = (unsigned char)value;
}

static void put_little(uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) put_byte((unsigned)(value >> (8 * i)) & 0xff);
}

static void put_bits(uint32_t value, unsigned count) {
  out.bits |= (uint64_t)value << out.count;
  for (out.count += count; out.count >= 8; out.count -= 8, out.bits >>= 8) put_byte((unsigned)out.bits & 0xff);
}

/* Codes alone stand with their highest bit first. */
static void put_code(uint32_t code, unsigned count) {
  uint32_t turned = 0;
  for (unsigned i = 0; i < count; i++) turned |= (code >> i & 1U) << (count - 1 - i);
  put_bits(turned, count);
}

static void put_symbol(unsigned symbol) {
  if (symbol < 144) put_code(0x30 + symbol, 8);
  else if (symbol < 256) put_code(0x190 + symbol - 144, 9);
  else if (symbol < 280) put_code(symbol - 256, 7);
  else put_code(0xc0 + symbol - 280, 8);
}

/* Both tables of the RFC double their steps: after the first `even` codes, every `group` codes have one bit more. */
struct scale {
  unsigned first, group;
};

/* The code of a value, and behind it the bits that tell it from others with the same code. */
static unsigned scale_code(struct scale scale, unsigned value, unsigned *bits, unsigned *rest) {
  unsigned base = scale.first, code = 0;
  for (*bits = 0;; code++) {
    *bits = code < 2 * scale.group ? 0 : code / scale.group - 1;
    if (value < base + (1U << *bits)) break;
    base += 1U << *bits;
  }
  *rest = value - base;
  return code;
}

static void put_match(unsigned length, unsigned distance) {
  static const struct scale lengths = {3, 4}, distances = {1, 2};
  unsigned bits, rest;
  /* The longest has a code of its own. */
  unsigned code = length == LONGEST ? 28 : scale_code(lengths, length, &bits, &rest);
  put_symbol(257 + code);
  if (length != LONGEST) put_bits(rest, bits);
  code = scale_code(distances, distance, &bits, &rest);
  put_code(code, 5);
  put_bits(rest, bits);
}

static unsigned hash_of(const unsigned char *at) {
  uint32_t four;
  memcpy(&four, at, sizeof four);
  return (four * 2654435761U) >> (32 - HASH_BITS);
}

static void remember(const unsigned char *bytes, size_t at) {
  unsigned hash = hash_of(bytes + at);
  older[at % WINDOW] = newest[hash];
  newest[hash] = (uint32_t)at + 1;
}

static unsigned same(const unsigned char *a, const unsigned char *b, size_t room) {
  unsigned length = 0;
  while (length < LONGEST && length < room && a[length] == b[length]) length++;
  return length;
}

/* The length of the best match, or 0. */
static unsigned find(const unsigned char *bytes, size_t at, size_t size, unsigned *distance) {
  unsigned best = 0;
  uint32_t seen = newest[hash_of(bytes + at)];
  for (unsigned tries = 0; tries < TRIES && seen != 0; tries++) {
    uint32_t back = (uint32_t)at + 1 - seen;
    if (back == 0 || back >= WINDOW || back > at) break;
    unsigned length = same(bytes + at - back, bytes + at, size - at);
    if (length > best) {
      best = length;
      *distance = back;
    }
    if (best == LONGEST) break;
    uint32_t next = older[(at - back) % WINDOW];
    if (next == 0 || (uint32_t)at + 1 - next <= back) break; /* what stood there before has been written over */
    seen = next;
  }
  return best < SHORTEST ? 0 : best;
}

static void deflate(const unsigned char *bytes, size_t size) {
  put_bits(1, 1); /* the last block */
  put_bits(1, 2); /* of fixed codes */
  for (size_t at = 0; at < size && out.error == 0;) {
    bool hashed = size - at >= SHORTEST;
    unsigned distance = 0, length = hashed ? find(bytes, at, size, &distance) : 0;
    if (length == 0) put_symbol(bytes[at]);
    else put_match(length, distance);
    for (unsigned step = length == 0 ? 1 : length; step > 0; step--, at++)
      if (size - at >= SHORTEST) remember(bytes, at);
  }
  put_symbol(END_OF_BLOCK);
  if (out.count > 0) put_bits(0, 8 - out.count);
}

static uint32_t checksum(const unsigned char *bytes, size_t size) {
  static uint32_t table[256];
  for (uint32_t i = 0; i < 256; i++) {
    table[i] = i;
    for (int bit = 0; bit < 8; bit++) table[i] = (table[i] & 1) != 0 ? 0xedb88320U ^ table[i] >> 1 : table[i] >> 1;
  }
  uint32_t sum = 0xffffffffU;
  for (size_t i = 0; i < size; i++) sum = table[(sum ^ bytes[i]) & 0xff] ^ sum >> 8;
  return ~sum;
}

static void put_header(struct gzip_note note) {
  static const unsigned char start[] = {0x1f, 0x8b, 8, 4 /* a further field */, 0, 0, 0, 0, 0, 3 /* Unix */};
  for (size_t i = 0; i < sizeof start; i++) put_byte(start[i]);
  put_little(note.size + 4, 2);
  put_byte((unsigned char)note.name[0]);
  put_byte((unsigned char)note.name[1]);
  put_little(note.size, 2);
  for (size_t i = 0; i < note.size; i++) put_byte(((const unsigned char *)note.bytes)[i]);
}

int gzip_file(int from, int to, struct gzip_note note) {
  struct stat status;
  if (fstat(from, &status) != 0) return errno;
  size_t size = (size_t)status.st_size;
  const unsigned char *bytes = (const unsigned char *)"";
  if (size > 0) bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, from, 0);
  if (bytes == MAP_FAILED) return errno;
  out.fd = to;
  put_header(note);
  deflate(bytes, size);
  put_little(checksum(bytes, size), 4);
  put_little(size, 4);
  flush();
  return out.error;
}
