/* What the daemon sends into a container's tree: whatever it is, and whatever links are there, nothing beyond the root is
 * touched, and nothing stays open. */
#include <sys/mman.h>

static int put_input;
#define INPUT put_input
#include "../../keeper/put.c"

#include "fuzz.h"

int sync_send(int fd, struct sync_message message, const void *data, size_t size, int passed) {
  (void)fd, (void)message, (void)data, (void)size, (void)passed;
  return 0;
}

void say_bytes(struct keeper *k, uint32_t index, const void *bytes, size_t size) {
  (void)k, (void)index, (void)bytes, (void)size;
}

int write_once(int fd, const void *bytes, size_t size) { return write(fd, bytes, size) == (ssize_t)size ? 0 : EIO; }
int write_all(int fd, const void *bytes, size_t size) { return write_once(fd, bytes, size); }

static char base[64];
static const char *const names[] = {"/a", "/b", "/a/b", "/a/b/c", "/out", "/out/x", "/up/canary/x", "/a/../b",
                                    "/./a/", "//b//c", "/", "", "/up", "/abs/kept", "relative", "/a/b/../../../x"};
static const char *const targets[] = {"../canary", "/a", "b", "..", "/", "", "/proc/self/fd/0", "a/b"};

static void send(const void *bytes, size_t size) { MUST(write(put_input, bytes, size) == (ssize_t)size); }

/* Records that mean something, so that trees come of them; the last of them may end anywhere. */
static void send_record(struct script *script) {
  const char *name = names[take_byte(script) % 16], *target = targets[take_byte(script) % 8];
  uint8_t kind = take_byte(script) % 10, content = take_byte(script) % 32;
  struct walk_record record = {.kind = kind, .mode = 0700U | ((uint32_t)take_byte(script) << 4), .seconds = take_byte(script),
                               .size = kind == WALK_FILE ? content : 0, .minor = 3, .major = 1,
                               .name_length = (uint32_t)strlen(name)};
  bool is_linked = kind == WALK_SYMLINK || kind == WALK_LINK;
  record.target_length = is_linked ? (uint32_t)strlen(target) : 0;
  send(&record, sizeof record);
  send(name, strlen(name));
  if (is_linked) send(target, strlen(target));
  if (kind == WALK_FILE) send("0123456789abcdef0123456789abcdef", content);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static char path[96], canary[96];
  static struct keeper k;
  if (base[0] == 0) {
    snprintf(base, sizeof base, "/dev/shm/pier-put-%d", getpid());
    snprintf(path, sizeof path, "%s/tree", base);
    snprintf(canary, sizeof canary, "%s/canary", base);
    MUST(mkdir(base, 0700) == 0 && mkdir(canary, 0700) == 0);
    umask(0);
  }
  int first_free = dup(0);
  close(first_free);
  MUST(mkdir(path, 0700) == 0);
  k.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  MUST(k.root >= 0 && symlinkat("..", k.root, "up") == 0 && symlinkat(canary, k.root, "abs") == 0);
  put_input = memfd_create("put", MFD_CLOEXEC);
  struct script script = {bytes, bytes + size};
  uint8_t how = take_byte(&script);
  if ((how & 3) != 0)
    while (script.at < script.end) send_record(&script);
  else send(script.at, (size_t)(script.end - script.at));
  lseek(put_input, 0, SEEK_SET);
  const struct argument arguments[] = {{.number = 0}, {.number = (how >> 2) & 1}, {.number = UINT64_MAX}, {.number = UINT64_MAX}};
  (void)step_put_tree(&k, arguments);
  close(put_input);
  close(k.root);
  struct stat status;
  MUST(lstat(canary, &status) == 0 && status.st_nlink == 2 && (status.st_mode & 07777) == 0700);
  int top = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  MUST(remove_at(top, "tree") == 0);
  close(top);
  /* Still empty: it can be taken away, and is made again. */
  MUST(chdir("/") == 0 && rmdir(canary) == 0 && mkdir(canary, 0700) == 0);
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
  (void)rmdir(path);
  (void)rmdir(base);
}
