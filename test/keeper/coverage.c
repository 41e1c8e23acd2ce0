/* Linked into programs whose coverage is measured. Every basic block (-fsanitize-coverage=trace-pc) marks the byte of its
 * address in a file that all processes of the program share: what a keeper did counts also when it was killed, became
 * another program, left with _exit, or had no root from which the file could be opened any more. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOT_MEASURED __attribute__((no_sanitize_coverage))

/* The linker's: where the program lies, which must not move (-no-pie). */
extern const char __executable_start, etext;
void __sanitizer_cov_trace_pc(void);
void mark_place(uintptr_t place);

static char *hits;

NOT_MEASURED __attribute__((constructor)) static void open_hits(void) {
  size_t size = (size_t)(&etext - &__executable_start);
  /* In a container's root there is no such file: nothing is measured then. */
  int fd = open(COVERAGE_FILE, O_RDWR | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) return;
  void *mapped = MAP_FAILED;
  if ((size_t)status.st_size >= size || ftruncate(fd, (off_t)size) == 0)
    mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) hits = mapped;
}

NOT_MEASURED void mark_place(uintptr_t place) {
  if (hits != NULL) hits[place - (uintptr_t)&__executable_start] = 1;
}

/* A fuzzer has one of its own, which marks as well. */
__attribute__((weak)) NOT_MEASURED void __sanitizer_cov_trace_pc(void) {
  mark_place((uintptr_t)__builtin_return_address(0));
}
