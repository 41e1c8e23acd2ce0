/* The removal of trees: whatever a container left, all of it goes, and nothing that it only points to. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../keeper/files.c"

#include "fuzz.h"

/* What the measuring of trees tells goes nowhere: it is not what is tried here. */
void say_bytes(struct keeper *k, uint32_t index, const void *bytes, size_t size) {
  (void)k, (void)index, (void)bytes, (void)size;
}

static char base[64];

/* A few names, so that they meet; those that the removal uses itself are among them. */
static void name_of(uint8_t number, char *name) {
  if ((number & 0xf0) == 0xf0) snprintf(name, 32, ".pier-deep-%u", number & 15U);
  else snprintf(name, 32, "%c\n%u", (number & 1) != 0 ? 0xff : 'n', number % 12U);
}

static void make(int directory, uint8_t what, const char *name, const char *other) {
  switch (what % 8) {
    case 0: {
      int fd = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
      if (fd >= 0) close(fd);
      break;
    }
    case 1:
      (void)symlinkat("../canary", directory, name);
      break;
    case 2:
      (void)linkat(directory, other, directory, name, 0);
      break;
    case 3:
      (void)mkfifoat(directory, name, 0600);
      break;
    case 4:
      (void)symlinkat(base, directory, name);
      break;
    case 5:
      (void)renameat(directory, other, directory, name);
      break;
    case 6:
      (void)fchmodat(directory, name, 0, 0);
      break;
    default:
      (void)symlinkat("..", directory, name);
  }
}

/* A script makes entries, and goes into directories and out of them again. */
static void grow(int top, struct script *script) {
  int directory = fcntl(top, F_DUPFD_CLOEXEC, 3);
  unsigned depth = 0;
  MUST(directory >= 0);
  while (script->at < script->end) {
    uint8_t what = take_byte(script);
    char name[32], other[32];
    name_of(take_byte(script), name);
    name_of(what, other);
    /* Deeper than the limit by one byte. */
    for (unsigned steps = what >= 240 ? 150 : what >= 160 ? 1 : 0; steps > 0; steps--) {
      (void)mkdirat(directory, name, 0700);
      int inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
      if (inner < 0) break;
      close(directory);
      directory = inner;
      depth++;
    }
    if (what < 128) make(directory, what, name, other);
    if (what >= 128 && what < 160 && depth > 0) {
      int outer = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      close(directory);
      directory = outer;
      depth--;
    }
  }
  close(directory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static char path[96], canary[96];
  if (base[0] == 0) {
    snprintf(base, sizeof base, "/dev/shm/pier-fuzz-%d", getpid());
    snprintf(path, sizeof path, "%s/tree", base);
    snprintf(canary, sizeof canary, "%s/canary", base);
    MUST(mkdir(base, 0700) == 0 && mkdir(canary, 0700) == 0 && symlink("x", strcat(canary, "/kept")) == 0);
  }
  int first_free = dup(0);
  close(first_free);
  MUST(first_free >= 0 && mkdir(path, 0700) == 0);
  int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  grow(top, &(struct script){bytes, bytes + size});
  close(top);
  const struct argument arguments[] = {{.bytes = path, .length = strlen(path)}};
  MUST(step_remove_tree(NULL, arguments) == 0);
  struct stat status;
  MUST(lstat(path, &status) != 0 && lstat(canary, &status) == 0);
  int fd = dup(0);
  MUST(fd == first_free);
  close(fd);
  return 0;
}

/* Nothing of the process stays behind. */
__attribute__((destructor)) static void leave(void) {
  char path[96];
  if (base[0] == 0) return;
  snprintf(path, sizeof path, "%s/canary", base);
  const struct argument kept[] = {{.bytes = path, .length = strlen(path)}};
  (void)step_remove_tree(NULL, kept);
  (void)rmdir(base);
}
