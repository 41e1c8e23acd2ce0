/* A keeper that fails on order: linked around the keeper's own objects (--wrap), which stay as they are.
 *
 * The order lies in FAULTS/<id>, the last directory of the plan's path: "LANE INDEX ACTION ERRNO", where the action is
 * `die`, `fail` or `wait`. Beside the lanes there are more places: `said TYPE`, when a message has been sent; `named 0` and
 * `named 1`, around the exit file's getting its name; `keeper N` and `child N`, the Nth call of the C library by which the
 * one or the other asks the kernel for something. Each order is carried out once; what has become of it stands behind the
 * words, in memory that the keeper, its child and the test share. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "../../keeper/keeper.h"

#define WORDS 256

struct order {
  char words[WORDS];
  volatile uint32_t reached; /* by the process that carries it out */
  volatile uint32_t go;      /* by the test: the wait is over */
  volatile uint32_t keeper;
  char call[32]; /* which it was, if it was one that failed */
};

static struct order *order;
static char place[16], action[16];
static unsigned wanted;
static int error_number;
static const struct step *current;

static void read_order(const char *plan) {
  char path[4096], id[256];
  const char *end = strrchr(plan, '/'), *begin = end;
  while (begin > plan && begin[-1] != '/') begin--;
  /* An errand's plan lies beside all others. */
  bool errand = strncmp(end + 1, "errand-", 7) == 0;
  snprintf(id, sizeof id, "%.*s", (int)(end - begin), begin);
  snprintf(path, sizeof path, "%s/%s", FAULTS, errand ? "errand" : id);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *memory = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return;
  order = memory;
  order->keeper = (uint32_t)getpid();
  if (sscanf(order->words, "%15s %u %15s %d", place, &wanted, action, &error_number) != 4) order = NULL;
}

static int reach(const char *where, unsigned index) {
  if (order == NULL || order->reached != 0 || index != wanted || strcmp(where, place) != 0) return 0;
  order->reached = 1;
  if (strcmp(action, "fail") == 0) return error_number;
  if (strcmp(action, "die") == 0) {
    kill(getpid(), SIGKILL);
    /* The first process of a pid namespace is deaf to its own signals, but not to the kernel's. */
    prctl(PR_SET_DUMPABLE, 0);
    __builtin_trap();
  }
  while (order->go == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return 0;
}

static int reach_step(const struct keeper *k) {
  static const char *const lanes[LANE_COUNT] = {"outside", "inside", "after"};
  for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
    const struct step *first = k->plan.steps[lane];
    if (current >= first && current < first + k->plan.counts[lane])
      return reach(lanes[lane], (unsigned)(current - first));
  }
  return 0;
}

int __real_plan_open(struct plan *plan, const char *path);
int __wrap_plan_open(struct plan *plan, const char *path);
int __wrap_plan_open(struct plan *plan, const char *path) {
  read_order(path);
  return __real_plan_open(plan, path);
}

void __real_plan_arguments(const struct step *step, struct argument *arguments);
void __wrap_plan_arguments(const struct step *step, struct argument *arguments);
void __wrap_plan_arguments(const struct step *step, struct argument *arguments) {
  current = step;
  __real_plan_arguments(step, arguments);
}

#define WRAP(code, name, kinds, lanes) \
  step_function __real_step_##name, __wrap_step_##name; \
  int __wrap_step_##name(struct keeper *k, const struct argument *a) { \
    int error = reach_step(k); \
    return error != 0 ? error : __real_step_##name(k, a); \
  }
STEPS(WRAP)

void __real_say_to(const struct keeper *k, int fd, uint32_t type, const void *payload, size_t size);
void __wrap_say_to(const struct keeper *k, int fd, uint32_t type, const void *payload, size_t size);
void __wrap_say_to(const struct keeper *k, int fd, uint32_t type, const void *payload, size_t size) {
  __real_say_to(k, fd, type, payload, size);
  (void)reach("said", type);
}

/* Whether this call, of all that the process has made, is the one to fail. */
static bool fails(const char *name) {
  static pid_t process;
  static unsigned calls;
  if (order == NULL) return false;
  if (process != getpid()) {
    /* The child counts from its own beginning, and those that come after it go on. */
    if (process == (pid_t)order->keeper) calls = 0;
    process = getpid();
  }
  int error = reach(process == (pid_t)order->keeper ? "keeper" : "child", calls++);
  if (error == 0) return false;
  strncpy(order->call, name, sizeof order->call - 1);
  errno = error;
  return true;
}

/* Arguments go through as they came, whatever they are: in registers, and one of `syscall` behind them. */
#define PASS (long a, long b, long c, long d, long e, long f, long g)
#define WRAP_CALL(name) \
  long __real_##name PASS; \
  long __wrap_##name PASS; \
  long __wrap_##name PASS { return fails(#name) ? -1 : __real_##name(a, b, c, d, e, f, g); }
#define WRAP_POINTER(name) \
  void *__real_##name PASS; \
  void *__wrap_##name PASS; \
  void *__wrap_##name PASS { return fails(#name) ? NULL : __real_##name(a, b, c, d, e, f, g); }
#include "calls.h"
CALLS(WRAP_CALL)
POINTER_CALLS(WRAP_POINTER)

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to) {
  if (fails("rename")) return -1;
  (void)reach("named", 0);
  int result = __real_rename(from, to);
  (void)reach("named", 1);
  return result;
}
