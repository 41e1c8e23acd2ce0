/* The keeper: runs a container's plan, then stays as its monitor. A table of contents:
 *
 *   plan.c     the plan as it lies in its file        run.c      lanes and their order
 *   host.c     steps on the host                      root.c     paths beneath the container's root
 *   mounts.c   what is mounted there                  terminal.c the container's terminal
 *   self.c     steps that the child takes on itself   sync.c     where the lanes meet
 *   watch.c    the life after the plan                say.c      to the daemon
 *   output.c   streams and who listens to them        log.c      the log file
 *   relay.c    published ports on the loopback        relay-datagrams.c  those of UDP
 *   loop.c     the event loop
 *   init.c     --init                                 hold.c     the sealed program and the store's namespace
 *   netlink.c  messages to the kernel's networking    files.c    trees of files
 *   memory.c   whether memory ran out                 kill.c     all that is in a control group
 *   layers.c   layers on block devices                devices.c  which devices a container may use
 *   tree.c     trees that are written from a list     list.c     such a list as it lies in its file
 *   walk.c     trees that are told to the daemon
 *   names.c    who asks for names                     tables.c   the tables of names as they are now
 *   answer.c   questions and ready answers            move.c     trees that are put in their place
 *   put.c      trees that the daemon sends            hear.c     what others do to the host's networking
 *   pack.c     files that the log rotates away        gzip.c     how they are compressed
 *   program.c  other runtimes, and who is left to us
 *   send.c     where else lines of the log go         messages.c what is sent of a line
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper.h"

#define DAEMON_FD 3

static struct keeper keeper;

/* Whatever the parent left behind in this process ends here: its descriptors and what it did with signals. Signals stay
 * blocked: only a killed keeper goes, and its container with it. */
static void begin(void) {
  syscall(SYS_close_range, DAEMON_FD + 1U, ~0U, 0U);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  umask(0); /* modes are the plan's */
}

static void clear(struct keeper *k, char **argv, int argc) {
  for (size_t slot = 0; slot < SLOT_LIMIT; slot++) k->slots[slot] = -1;
  for (int stream = 0; stream < STREAM_COUNT; stream++) k->own[stream] = k->given[stream] = -1;
  k->control = k->sync = k->pidfd = k->proc = k->root = k->null_tree = k->log.fd = -1;
  k->daemon = DAEMON_FD;
  k->title = argv[0];
  k->title_size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
}

/* What the after lane takes away, when the keeper that should have done it was killed. */
static int clean(struct keeper *k, const char *path) {
  if (plan_open(&k->plan, path) != 0) return EXIT_FAILURE;
  return run_after(k) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct keeper *k, const char *path) {
  uint32_t at = 0;
  k->plan_path = path;
  int error = plan_open(&k->plan, path);
  if (error == 0 && loop_init(&k->loop) != 0) error = ENOMEM;
  if (error != 0) {
    say_failed(k, LANE_OUTSIDE, UINT32_MAX, error);
    return EXIT_FAILURE;
  }
  error = run_lane(k, LANE_OUTSIDE, &at);
  if (error != 0) {
    /* ECHILD: it was the child that failed, and its own step has been told. So it is when a step of ours found nobody to
     * work for. */
    if (error != ECHILD && !sync_is_over(k, error)) say_failed(k, LANE_OUTSIDE, at, error);
    undo(k);
  }
  watch(k);
  return EXIT_SUCCESS;
}

/* A keeper that was started ahead of need has room for the path of its plan: the daemon says it, or goes. */
static bool is_ahead(const char *path) { return path[0] == '-'; }

static bool hear_path(char *path) {
  size_t room = strlen(path);
  uint32_t head[2];
  if (recv(DAEMON_FD, head, sizeof head, MSG_WAITALL) != sizeof head || head[0] != ASK_PLAN || head[1] > room) return false;
  memset(path, 0, room);
  return recv(DAEMON_FD, path, head[1], MSG_WAITALL) == (ssize_t)head[1];
}

/* The socket that was given lets as many clients wait as the kernel allows (somaxconn caps the number). */
static int widen(void) { return listen(DAEMON_FD, INT_MAX) == 0 ? EXIT_SUCCESS : EXIT_FAILURE; }

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "--") == 0) return run_as_init(argv + 2);
  begin();
  if (argc == 2 && strcmp(argv[1], "--widen") == 0) return widen();
  if (argc >= 2 && strcmp(argv[1], "--hold") == 0) return hold(argc > 2 ? argv[2] : NULL);
  if (argc != 3) return 2;
  fcntl(DAEMON_FD, F_SETFD, FD_CLOEXEC);
  clear(&keeper, argv, argc);
  /* hear.c knows by it what is not somebody else's doing. */
  prctl(PR_SET_NAME, "pier-keeper");
  fcntl(DAEMON_FD, F_SETFL, O_RDWR);
  if (is_ahead(argv[2]) && !hear_path(argv[2])) return EXIT_SUCCESS;
  fcntl(DAEMON_FD, F_SETFL, O_RDWR | O_NONBLOCK);
  if (strcmp(argv[1], "run") == 0) return run(&keeper, argv[2]);
  return strcmp(argv[1], "clean") == 0 ? clean(&keeper, argv[2]) : 2;
}
