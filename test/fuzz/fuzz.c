/* Runs a target on inputs that it has never seen: fuzz CORPUS RUNS [SEED]. RUNS may end with s for seconds. It is not
 * watched by the sanitizers itself, and optimised.
 *
 * Inputs are changed at random, and those that lead to a part of the program that no other led to are kept, in memory and
 * as files of the corpus (the compiler's -fsanitize-coverage=trace-pc tells where the program is). The input of a run is
 * in CORPUS/last, so that it is known whatever ends the process. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum { map_size = 1 << 14, input_limit = 4096, corpus_limit = 4096, seconds_of_a_run = 20 };

struct input {
  size_t size;
  uint8_t *bytes;
};

void __sanitizer_cov_trace_pc(void);
/* Where coverage is measured too (test/keeper/coverage.c). */
__attribute__((weak)) void mark_place(uintptr_t place);

static uint8_t hits[map_size], seen[map_size];
static uintptr_t before;
static struct input corpus[corpus_limit];
static size_t corpus_size;
static uint64_t random_state;
static uint8_t *last;

/* Where the program came from counts too: the same place by another way is another place. */
void __sanitizer_cov_trace_pc(void) {
  uintptr_t here = (uintptr_t)__builtin_return_address(0);
  if (mark_place != NULL) mark_place(here);
  uint8_t *hit = &hits[(here ^ before) % map_size];
  if (*hit < 255) ++*hit;
  before = here >> 1;
}

static uint64_t random_number(uint64_t limit) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % limit;
}

/* How often, roughly: 1, 2, 3, up to 7, 15, 31, 127, more. */
static uint8_t bucket(uint8_t count) {
  if (count < 4) return (uint8_t)(count == 0 ? 0 : 1 << (count - 1));
  return count < 8 ? 8 : count < 16 ? 16 : count < 32 ? 32 : count < 128 ? 64 : 128;
}

static int is_news(void) {
  int news = 0;
  for (size_t i = 0; i < map_size; i++) {
    if (hits[i] == 0) continue;
    uint8_t mark = bucket(hits[i]);
    if ((mark & ~seen[i]) != 0) news = 1;
    seen[i] |= mark;
  }
  return news;
}

static void save(const char *directory, const struct input *input) {
  char path[512];
  uint64_t name = 14695981039346656037U;
  for (size_t i = 0; i < input->size; i++) name = (name ^ input->bytes[i]) * 1099511628211U;
  snprintf(path, sizeof path, "%s/%016llx", directory, (unsigned long long)name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  if (write(fd, input->bytes, input->size) < 0) unlink(path);
  close(fd);
}

static void run(const char *directory, const uint8_t *bytes, size_t size) {
  memset(hits, 0, sizeof hits);
  memcpy(last, &size, sizeof size);
  memcpy(last + sizeof size, bytes, size);
  /* A copy of its own size: reading behind its end is seen. */
  struct input input = {size, malloc(size + (size == 0))};
  MUST(input.bytes != NULL);
  memcpy(input.bytes, bytes, size);
  alarm(seconds_of_a_run);
  LLVMFuzzerTestOneInput(input.bytes, size);
  if (!is_news() || corpus_size == corpus_limit) {
    free(input.bytes);
    return;
  }
  save(directory, &input);
  corpus[corpus_size++] = input;
}

static void read_corpus(const char *directory) {
  DIR *entries = opendir(directory);
  MUST(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    static uint8_t bytes[input_limit];
    int fd = strcmp(entry->d_name, "last") == 0 ? -1 : openat(dirfd(entries), entry->d_name, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0) close(fd);
    if (size >= 0) run(directory, bytes, (size_t)size);
  }
  closedir(entries);
}

/* One change: the new size. */
static size_t change(uint8_t *bytes, size_t size) {
  static const uint8_t telling[][8] = {{0}, {1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0x7f},
                                       {0, 0, 0, 0x80}, {8}, {16}, {0, 1}, {0, 0, 1}, {64}, {127}, {128}};
  size_t at = size == 0 ? 0 : random_number(size), length = 1 + random_number(16);
  if (length > size - at) length = size - at;
  switch (random_number(8)) {
    case 0:
      if (size > 0) bytes[at] ^= (uint8_t)(1U << random_number(8));
      return size;
    case 1:
      if (size > 0) bytes[at] = (uint8_t)random_number(256);
      return size;
    case 2: {
      size_t width = (size_t)1 << random_number(4);
      if (width > size - at) width = size - at;
      memcpy(bytes + at, telling[random_number(sizeof telling / sizeof *telling)], width);
      return size;
    }
    case 3:
      if (size > 0) bytes[at] = (uint8_t)(bytes[at] + random_number(35) - 17);
      return size;
    case 4:
      memmove(bytes + at, bytes + at + length, size - at - length);
      return size - length;
    case 5:
      if (size + length > input_limit) return size;
      memmove(bytes + at + length, bytes + at, size - at);
      return size + length;
    case 6: {
      const struct input *other = &corpus[random_number(corpus_size)];
      size_t from = other->size == 0 ? 0 : random_number(other->size);
      size_t taken = other->size - from;
      if (taken > input_limit - at) taken = input_limit - at;
      memcpy(bytes + at, other->bytes + from, taken);
      return at + taken;
    }
    default:
      if (size == input_limit) return size;
      bytes[size] = (uint8_t)random_number(256);
      return size + 1;
  }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **words) {
  MUST(count >= 3);
  const char *directory = words[1];
  char *unit;
  unsigned long long limit = strtoull(words[2], &unit, 10), runs = 0;
  random_state = count > 3 ? strtoull(words[3], NULL, 10) | 1 : (uint64_t)(now() * 1e9) | 1;
  char path[512];
  snprintf(path, sizeof path, "%s/last", directory);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  MUST(fd >= 0 && ftruncate(fd, sizeof(size_t) + input_limit) == 0);
  last = mmap(NULL, sizeof(size_t) + input_limit, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(last != MAP_FAILED);
  run(directory, (const uint8_t *)"", 0);
  read_corpus(directory);
  MUST(corpus_size > 0);
  double start = now();
  while (*unit == 's' ? now() - start < (double)limit : runs < limit) {
    static uint8_t bytes[input_limit];
    const struct input *input = &corpus[random_number(corpus_size)];
    size_t size = input->size;
    memcpy(bytes, input->bytes, size);
    for (uint64_t changes = 1 + random_number(8); changes > 0; changes--) size = change(bytes, size);
    run(directory, bytes, size);
    runs++;
  }
  printf("%llu runs, %zu inputs that led somewhere new, %.0f s\n", runs, corpus_size, now() - start);
  for (size_t i = 0; i < corpus_size; i++) free(corpus[i].bytes);
  return 0;
}
