#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steps.h"

#define HEADER_SIZE 40U
#define STEP_HEADER_SIZE 16U
#define PLAN_SIZE_LIMIT (64U << 20)

struct shape {
  const char *kinds;
  unsigned lanes;
};

#define SHAPE(code, name, kinds, lanes) [code] = {kinds, lanes},
static const struct shape shapes[STEP_LIMIT] = {STEPS(SHAPE)};

static uint32_t u32_at(const unsigned char *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static uint64_t u64_at(const unsigned char *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static size_t padded(size_t size) { return (size + 7) & ~(size_t)7; }

static bool is_zero(const unsigned char *at, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (at[i] != 0) return false;
  return true;
}

/* A block is a count, a length, that many bytes and a NUL; a list of texts holds exactly `count` NUL-terminated ones. */
static bool is_block(const unsigned char *at, size_t room, char kind, size_t *used) {
  if (room < 9) return false;
  size_t length = u32_at(at + 4);
  if (length > room - 9) return false;
  const unsigned char *bytes = at + 8;
  *used = padded(8 + length + 1);
  if (*used > room || !is_zero(bytes + length, *used - 8 - length)) return false;
  if (kind != 'T' && u32_at(at) != length) return false;
  if (kind == 't' && memchr(bytes, 0, length) != NULL) return false;
  if (kind == 'T') {
    uint32_t found = 0;
    for (size_t i = 0; i < length; i++)
      if (bytes[i] == 0) found++;
    if (found != u32_at(at) || (length > 0 && bytes[length - 1] != 0)) return false;
  }
  return true;
}

/* Only where a step can do without one may there be none. */
static bool is_slot(uint64_t number, char kind) { return number < SLOT_LIMIT || (kind == 'o' && number == UINT64_MAX); }

static bool is_numbers(const unsigned char *at, size_t room, size_t *used) {
  if (room < 8) return false;
  uint64_t count = u64_at(at);
  if (count > (room - 8) / 8) return false;
  *used = 8 + (size_t)count * 8;
  return true;
}

static bool is_step(const unsigned char *at, size_t size, unsigned lane) {
  uint16_t code;
  memcpy(&code, at, sizeof code);
  if (!is_zero(at + 2, 2)) return false;
  if (code >= STEP_LIMIT || shapes[code].kinds == NULL || (shapes[code].lanes & (1U << lane)) == 0) return false;
  size_t offset = STEP_HEADER_SIZE;
  for (const char *kind = shapes[code].kinds; *kind != 0; kind++) {
    size_t used = 8;
    size_t room = size - offset;
    bool fits;
    if (*kind == 'n') fits = room >= 8;
    else if (*kind == 's' || *kind == 'o') fits = room >= 8 && is_slot(u64_at(at + offset), *kind);
    else if (*kind == 'N') fits = is_numbers(at + offset, room, &used);
    else fits = is_block(at + offset, room, *kind, &used);
    if (!fits) return false;
    offset += used;
  }
  return offset == size;
}

static int read_lane(struct plan *plan, unsigned lane, uint32_t count, const unsigned char **at, const unsigned char *end) {
  plan->steps[lane] = calloc(count + 1U, sizeof *plan->steps[lane]);
  if (plan->steps[lane] == NULL) return ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    size_t room = (size_t)(end - *at);
    if (room < STEP_HEADER_SIZE) return EBADMSG;
    size_t size = u32_at(*at + 4);
    if (size < STEP_HEADER_SIZE || size > room || size % 8 != 0 || !is_step(*at, size, lane)) return EBADMSG;
    struct step *step = &plan->steps[lane][i];
    memcpy(&step->code, *at, sizeof step->code);
    memcpy(step->tolerate, *at + 8, sizeof step->tolerate);
    step->arguments = *at + STEP_HEADER_SIZE;
    *at += size;
  }
  plan->counts[lane] = count;
  return 0;
}

static int read_plan(struct plan *plan, const unsigned char *bytes, size_t size) {
  if (size < HEADER_SIZE || memcmp(bytes, PLAN_MAGIC, 8) != 0) return EBADMSG;
  if (u32_at(bytes + 8) != PLAN_VERSION) return EPROTONOSUPPORT;
  if (u32_at(bytes + 12) != size || !is_zero(bytes + 28, HEADER_SIZE - 28)) return EBADMSG;
  const unsigned char *at = bytes + HEADER_SIZE;
  for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
    uint32_t count = u32_at(bytes + 16 + 4 * (size_t)lane);
    if (count > size / STEP_HEADER_SIZE) return EBADMSG;
    int error = read_lane(plan, lane, count, &at, bytes + size);
    if (error != 0) return error;
  }
  return at == bytes + size ? 0 : EBADMSG;
}

int plan_open(struct plan *plan, const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno;
  struct stat status;
  if (fstat(fd, &status) != 0) {
    int error = errno;
    close(fd);
    return error;
  }
  if (status.st_size < HEADER_SIZE || status.st_size > PLAN_SIZE_LIMIT) {
    close(fd);
    return EBADMSG;
  }
  size_t size = (size_t)status.st_size;
  /* Mapped and not copied: an idle keeper costs no memory for it. Nobody writes to a plan once it has its name. */
  void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  int error = bytes == MAP_FAILED ? errno : 0;
  close(fd);
  if (error != 0) return error;
  plan->file = bytes;
  plan->size = size;
  return read_plan(plan, bytes, size);
}

void plan_close(struct plan *plan) {
  for (unsigned lane = 0; lane < LANE_COUNT; lane++) free(plan->steps[lane]);
  munmap(plan->file, plan->size);
  memset(plan, 0, sizeof *plan);
}

void plan_arguments(const struct step *step, struct argument *arguments) {
  const unsigned char *at = step->arguments;
  for (const char *kind = shapes[step->code].kinds; *kind != 0; kind++, arguments++) {
    memset(arguments, 0, sizeof *arguments);
    if (*kind == 'n' || *kind == 's' || *kind == 'o') {
      arguments->number = u64_at(at);
      at += 8;
    } else if (*kind == 'N') {
      arguments->number = u64_at(at);
      arguments->numbers = (const char *)at + 8;
      at += 8 + arguments->number * 8;
    } else {
      arguments->number = u32_at(at);
      arguments->length = u32_at(at + 4);
      arguments->bytes = (const char *)at + 8;
      at += padded(8 + arguments->length + 1);
    }
  }
}

uint64_t plan_number(const struct argument *list, size_t index) {
  uint64_t value;
  memcpy(&value, list->numbers + index * 8, sizeof value);
  return value;
}

char **plan_texts(const struct argument *list) {
  char **texts = calloc(list->number + 1, sizeof *texts);
  if (texts == NULL) return NULL;
  const char *at = list->bytes;
  for (uint64_t i = 0; i < list->number; i++) {
    /* execve takes pointers to writable strings for history's sake and writes to none of them. */
    memcpy(&texts[i], &at, sizeof at);
    at += strlen(at) + 1;
  }
  return texts;
}
