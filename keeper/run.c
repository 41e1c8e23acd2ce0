/* Lanes: the steps of a plan, one after the other. */
#include <errno.h>

#include "keeper.h"

#define FUNCTION(code, name, kinds, lanes) [code] = step_##name,
static step_function *const functions[STEP_LIMIT] = {STEPS(FUNCTION)};

static bool is_tolerated(const struct step *step, int error) {
  for (int i = 0; i < TOLERATE_LIMIT; i++)
    if (step->tolerate[i] != 0 && step->tolerate[i] == error) return true;
  return false;
}

static int run_step(struct keeper *k, const struct step *step) {
  struct argument arguments[ARGUMENT_LIMIT];
  plan_arguments(step, arguments);
  int error = functions[step->code](k, arguments);
  return error != 0 && is_tolerated(step, error) ? 0 : error;
}

int run_lane(struct keeper *k, uint32_t lane, uint32_t *at) {
  for (*at = 0; *at < k->plan.counts[lane]; ++*at) {
    int error = run_step(k, &k->plan.steps[lane][*at]);
    if (error != 0) return error;
  }
  return 0;
}

/* Every step is tried: what one of them could not take away must not keep the next from its work. */
uint32_t run_after(struct keeper *k) {
  uint32_t failed = 0;
  for (uint32_t i = 0; i < k->plan.counts[LANE_AFTER]; i++)
    if (run_step(k, &k->plan.steps[LANE_AFTER][i]) != 0) failed++;
  return failed;
}
