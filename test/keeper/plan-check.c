/* Reads plans from standard input (each a length of four bytes and its bytes) and says of each what the keeper's decoder
 * makes of it: an error number, and for an accepted one a sum over every argument of every step. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../keeper/plan.h"
#include "../../keeper/steps.h"

#define KINDS(code, name, kinds, lanes) [code] = kinds,
static const char *const kinds[STEP_LIMIT] = {STEPS(KINDS)};

static uint64_t sum_of_step(const struct step *step) {
  struct argument arguments[ARGUMENT_LIMIT];
  uint64_t sum = step->code;
  plan_arguments(step, arguments);
  const char *kind = kinds[step->code];
  for (const struct argument *a = arguments; *kind != 0; kind++, a++) {
    sum = sum * 31 + a->number;
    for (size_t i = 0; strchr("tbT", *kind) != NULL && i <= a->length; i++) sum = sum * 31 + (unsigned char)a->bytes[i];
    for (size_t i = 0; *kind == 'N' && i < a->number; i++) sum = sum * 31 + plan_number(a, i);
    if (*kind != 'T') continue;
    char **texts = plan_texts(a);
    if (texts == NULL) abort();
    for (char **text = texts; *text != NULL; text++) sum = sum * 31 + strlen(*text);
    free(texts);
  }
  return sum;
}

static uint64_t sum_of(const struct plan *plan) {
  uint64_t sum = 0;
  for (unsigned lane = 0; lane < LANE_COUNT; lane++)
    for (uint32_t i = 0; i < plan->counts[lane]; i++) sum += sum_of_step(&plan->steps[lane][i]);
  return sum;
}

int main(int count, char **args) {
  int file = count == 2 ? open(args[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
  if (file < 0) return 2;
  uint32_t size;
  while (fread(&size, sizeof size, 1, stdin) == 1) {
    char *bytes = malloc(size + 1U);
    if (bytes == NULL || fread(bytes, 1, size, stdin) != size) return 2;
    if (pwrite(file, bytes, size, 0) != (ssize_t)size || ftruncate(file, size) != 0) return 2;
    free(bytes);
    struct plan plan = {0};
    int error = plan_open(&plan, args[1]);
    printf("%d %ju\n", error, (uintmax_t)(error == 0 ? sum_of(&plan) : 0));
    for (unsigned lane = 0; lane < LANE_COUNT; lane++) free(plan.steps[lane]);
  }
  return 0;
}
