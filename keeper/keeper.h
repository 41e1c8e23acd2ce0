/* What the parts of the keeper share. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "log.h"
#include "loop.h"
#include "plan.h"
#include "steps.h"

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_COUNT };

/* Enough for what after lanes report: one line of a kernel file each. */
#define REPORT_SIZE 4096

struct keeper {
  struct plan plan;
  const char *plan_path;
  bool changed; /* the plan is not the first any more */
  int slots[SLOT_LIMIT];
  int held[SLOT_LIMIT]; /* sockets for as long as the container lives */
  size_t held_count;

  int daemon;  /* the connection inherited as descriptor 3; -1 once it is closed */
  int control; /* the listening control socket, or -1 */
  int sync;    /* to the other side of the clone: the keeper's end, or the child's */

  pid_t child;
  int pidfd;
  uint64_t child_start; /* clock ticks since boot */
  pid_t helper;         /* goes on with the inside lane, though the child is another one; 0: nobody */
  bool adopts;          /* what their parents leave are its children */
  bool stays;           /* for the daemon's further plans, without a child */
  uint32_t phase;
  bool released; /* the commit point is crossed: the daemon has said start */

  int stdio_kind;
  int stdin_kind;
  int own[STREAM_COUNT];   /* the keeper's ends of the standard streams; own[0] is the terminal, if there is one */
  int given[STREAM_COUNT]; /* the child's */

  struct log log;
  const char *exit_path;
  char report[REPORT_SIZE];
  size_t report_length;

  char *title; /* the memory of the command line, for `init` to put its own name there */
  size_t title_size;

  /* Only in the child. */
  int proc; /* the host's, as it was when the child was born */
  int root;
  int null_tree; /* a read-only empty directory, for masks */
  const char *program;

  struct loop loop;
};

/* What a step answers from a system call's result: 0 or an error number. */
static inline int error_of(long result) { return result < 0 ? errno : 0; }

/* Every step answers 0 or an error number. */
typedef int step_function(struct keeper *, const struct argument *);

#define DECLARE_STEP(code, name, kinds, lanes) step_function step_##name;
STEPS(DECLARE_STEP)
#undef DECLARE_STEP

/* run.c: the lane's steps in order; 0, or an error number with the failing step's index in *at. */
int run_lane(struct keeper *k, uint32_t lane, uint32_t *at);
/* How many of its steps failed. */
uint32_t run_after(struct keeper *k);

/* sync.c: between the keeper and the cloned child. */
enum { SYNC_POINT, SYNC_FAILED, SYNC_BYTES, SYNC_TERMINAL, SYNC_CHILD, SYNC_ADOPTED };
/* The point that the `start` step reaches and waits for. */
#define POINT_START 0xffffU
struct sync_message {
  uint32_t kind;
  uint32_t index; /* of the step; of the point */
  int32_t error;
};
int sync_send(int fd, struct sync_message message, const void *data, size_t size, int passed);
/* -1 at the end, else the size of the data. */
ssize_t sync_receive(int fd, struct sync_message *message, void *data, size_t size, int *passed);
int sync_release(struct keeper *k, uint32_t point);
int sync_await(struct keeper *k, uint32_t point);
/* Whether the child has come to its end, or is about to (ESRCH: a step found nobody); why is told, if it said so. */
bool sync_is_over(struct keeper *k, int error);
/* Deals with what needs no lane's attention (bytes, terminals); true when it was such a message. */
bool sync_absorb(struct keeper *k, const struct sync_message *message, const void *data, size_t size, int passed);

/* say.c: to the daemon that started the keeper, and to any connection. */
void say(struct keeper *k, uint32_t type, const void *payload, size_t size);
void say_to(const struct keeper *k, int fd, uint32_t type, const void *payload, size_t size);
void say_failed(struct keeper *k, uint32_t lane, uint32_t index, int error);
void say_bytes(struct keeper *k, uint32_t index, const void *bytes, size_t size);

/* watch.c: from the end of the outside lane until the keeper may leave. */
void watch(struct keeper *k);
/* Takes everything back: the child is dead and the after lane has run. */
_Noreturn void undo(struct keeper *k);
/* The same, when the keeper was refused what it cannot do without, and says so. */
_Noreturn void give_up(struct keeper *k, int error);

/* change.c: the slots are empty, and what of them is to live as long as the container is held. */
void hold_sockets(struct keeper *k);
/* What is held can be others' from now on. */
void free_ports(struct keeper *k);
/* Runs the plan that lies beside the container's own; 0 or an error number, with the failing step's index in *at. */
int change(struct keeper *k, uint32_t *at);

/* Leaves, if the container has ended and every client has what it wrote. */
void finish(struct keeper *k);

struct keeper *keeper_of(struct loop *loop);

/* watch.c: to every connection. */
void tell_memory(struct keeper *k);

/* memory.c: looks once more whether memory ran out since the last look. */
bool memory_look(struct keeper *k);
void memory_forget(struct keeper *k);
void memory_tell(const struct keeper *k, int fd);

/* output.c: what the container writes and reads, and who listens. */
int streams_open(struct keeper *k);
void streams_drain(struct keeper *k);
/* Whether a client still has output to take. */
bool streams_busy(void);
/* The descriptor is the client's stream from now on. */
void stream_attach(struct keeper *k, int fd, uint32_t flags);
int stream_terminal(struct keeper *k, int fd);

/* send.c: the message is on its way to where lines of the log are sent, or waits for room there, or is lost. */
void send_message(const char *bytes, size_t size);
/* The container has ended: what waits gets a moment more. */
void send_rest(void);

/* pack.c: whether it is the child that compresses what was rotated away, whose end is heard there. */
bool is_packer(pid_t pid);

/* program.c: takes note of the ends of those that were left to the keeper. */
void reap_orphans(struct keeper *k);
/* Holds afterwards: the keeper has no children, and nobody who could leave it any. */
void end_children(void);

/* init.c: the process that reaps and passes on signals when asked for `--init`; answers only in the process that shall
 * become the program. */
int become_init(struct keeper *k);
/* The same as a program of its own, for containers that other runtimes make: the words are the program to run. Answers with
 * an exit code when it cannot be run. */
int run_as_init(char **words);

/* hold.c: keeps the sealed copy of the keeper and the store's mount namespace. */
int hold(const char *join);

/* root.c: a path resolved beneath the root, links included, magic ones refused; a descriptor or -1. */
int open_in_root(const struct keeper *k, const char *path, uint64_t flags);
/* The parent of the path's last component, and that component, which is not looked at; a descriptor or -1. */
int open_parent(const struct keeper *k, const char *path, char *last);
/* Every directory above the path is there, or an error number. */
int make_parents(const struct keeper *k, const char *path);
/* files.c: what has the name is gone, with all that is in it; 0 or an error number. */
int remove_at(int directory, const char *name);
/* The place where something will be mounted, made if it is missing; a descriptor or -1. */
int open_target(const struct keeper *k, const char *path, bool directory);
/* mounts.c: what `tree` leads to is seen at `target` from now on; 0 or an error number. */
int attach_tree(int tree, int target);

/* root.c: the regular file that was found (O_PATH), opened for reading; EINVAL for what is none. */
int open_found(const struct keeper *k, int found);
/* root.c: a path beneath the host's proc. */
int open_in_proc(const struct keeper *k, const char *path, uint64_t flags, uint64_t resolve);

/* Writes all of it; 0 or an error number. */
int write_all(int fd, const void *bytes, size_t size);
/* In one write, as kernel files want it. */
int write_once(int fd, const void *bytes, size_t size);
int write_file(int at, const char *path, const void *bytes, size_t size);
/* The start time of a process, in clock ticks since boot; 0 when there is none. */
uint64_t start_time(pid_t pid);
