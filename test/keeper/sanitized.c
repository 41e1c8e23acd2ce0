/* Linked into the keeper that runs under the sanitizers: it has no environment that could tell them anything. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* Leaks are looked for by a debugger of the process itself, which a process that cannot be dumped has none of. */
#define OPTIONS "log_path=" REPORTS ":exitcode=99:detect_leaks=0:detect_stack_use_after_return=1:print_stacktrace=1"

const char *__asan_default_options(void) { return OPTIONS; }
const char *__ubsan_default_options(void) { return OPTIONS; }
