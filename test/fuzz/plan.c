/* The reader of plans: whatever is in the file, it is refused, or every argument of every step can be read. */
#include <string.h>

#include "../../keeper/plan.c"
#include "fuzz.h"

static uint64_t sum;

/* Every byte is read: what does not belong to the plan is seen by the sanitizers. */
static void read_step(const struct step *step) {
  struct argument arguments[ARGUMENT_LIMIT];
  plan_arguments(step, arguments);
  const char *kinds = shapes[step->code].kinds;
  for (const struct argument *a = arguments; *kinds != 0; kinds++, a++) {
    for (size_t i = 0; strchr("tbT", *kinds) != NULL && i <= a->length; i++) sum += (unsigned char)a->bytes[i];
    for (size_t i = 0; *kinds == 'N' && i < a->number; i++) sum += plan_number(a, i);
    if (*kinds == 't') MUST(strlen(a->bytes) == a->length);
    if (*kinds == 's') MUST(a->number < SLOT_LIMIT);
    if (*kinds != 'T') continue;
    char **texts = plan_texts(a);
    MUST(texts != NULL);
    size_t all = 0;
    for (char **text = texts; *text != NULL; text++) all += strlen(*text) + 1;
    MUST(all == a->length);
    free(texts);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  unsigned char *file = malloc(size + (size == 0));
  MUST(file != NULL);
  memcpy(file, bytes, size);
  /* Most inputs get the right beginning and their own size: without them nothing behind is read. */
  if (size >= HEADER_SIZE && (bytes[0] & 7) != 7) {
    memcpy(file, PLAN_MAGIC, 8);
    memcpy(file + 8, (const uint32_t[]){PLAN_VERSION, (uint32_t)size}, 8);
  }
  struct plan plan = {0};
  int error = read_plan(&plan, file, size);
  MUST(error == 0 || error == EBADMSG || error == EPROTONOSUPPORT);
  for (unsigned lane = 0; error == 0 && lane < LANE_COUNT; lane++)
    for (uint32_t i = 0; i < plan.counts[lane]; i++) read_step(&plan.steps[lane][i]);
  for (unsigned lane = 0; lane < LANE_COUNT; lane++) free(plan.steps[lane]);
  free(file);
  return 0;
}
