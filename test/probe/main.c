// probe VERB [ARGUMENT...] [then VERB [ARGUMENT...]]...   what each verb does stands beside it in the table.
// All of them run, whatever becomes of the ones before; the exit code is that of the last.
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  verb *run;
  const char *does;
} verbs[] = {
    {"id", probe_id, "process, user and group ids"},
    {"caps", probe_caps, "the capability sets in hexadecimal"},
    {"security", probe_security, "seccomp mode, no_new_privs, dumpable"},
    {"limits", probe_limits, "every resource limit: soft hard"},
    {"umask", probe_umask, "the umask in octal"},
    {"env", probe_env, "the environment in its order"},
    {"args", probe_args, "its own arguments"},
    {"cwd", probe_cwd, "the working directory"},
    {"tty", probe_tty, "for each standard stream, whether it is a terminal, and its size"},
    {"host", probe_host, "node name, domain name, kernel release"},
    {"descriptors", probe_descriptors, "every open descriptor and what it is"},
    {"open", probe_open, "PATH [r|w|rw|create|directory|path]: whether it can be opened so"},
    {"cat", probe_cat, "PATH: its bytes"},
    {"write", probe_write, "PATH TEXT: whether it can be written to"},
    {"stat", probe_stat, "PATH: type, mode, owner, device, size"},
    {"list", probe_list, "PATH: the names in a directory"},
    {"mknod", probe_mknod, "PATH c|b MAJOR MINOR"},
    {"syscall", probe_syscall, "NUMBER [ARGUMENT...]: what a child gets for it; numbers, or text after a colon"},
    {"int80", probe_int80, "NUMBER [NUMBER...]: the same through the 32-bit door"},
    {"swap", probe_swap, "ONE OTHER [SECONDS]: two names change places without end"},
    {"tamper", probe_tamper, "PATH [NAME]: whether its bytes, mode, owner, times or attributes can be changed"},
    {"links", probe_links, "WANTED [SECONDS [trace]]: looks for a file behind the magic links of all processes"},
    {"trace", probe_trace, "PID: becomes its tracer for ever"},
    {"writable", probe_writable, "PATH: every name below that may be written to"},
    {"handle", probe_handle, "PATH: opens the root of its file system by a guessed handle"},
    {"type", probe_type, "TEXT into its own terminal"},
    {"connect", probe_connect, "PATH or @NAME: a local socket"},
    {"exit", probe_exit, "CODE"},
    {"signal", probe_signal, "NUMBER: kills itself"},
    {"sleep", probe_sleep, "SECONDS, for ever without"},
    {"spin", probe_spin, "SECONDS of processor time"},
    {"trap", probe_trap, "COUNT: says ready, then each signal; exits with the last one's number (COUNT 0: never)"},
    {"tick", probe_tick, "MILLISECONDS CODE: a line each time, until SIGTERM; then how many, and that exit code"},
    {"churn", probe_churn, "COUNT processes, a hundred at once: how many of them were killed"},
    {"setuid", probe_setuid, "UID [GID]"},
    {"chdir", probe_chdir, "PATH"},
    {"exec", probe_exec, "PATH ARGUMENT..."},
    {"bytes", probe_bytes, "COUNT to standard output, a pattern in which every loss shows"},
    {"verify", probe_verify, "reads that pattern from standard input to its end"},
    {"lines", probe_lines, "COUNT [stdout|stderr|both]"},
    {"echo", probe_echo, "standard input to standard output, to its end"},
    {"hold", probe_hold, "SECONDS without reading standard input, then says how much there was"},
    {"fork", probe_fork, "COUNT children at once: how many there could be"},
    {"orphans", probe_orphans, "COUNT grandchildren whose parent leaves, and which end"},
    {"bomb", probe_bomb, "children that make children, all of them for ever"},
    {"memory", probe_memory, "MEBIBYTES, touched"},
    {"files", probe_files, "COUNT open files at once: how many there could be"},
    {"disk", probe_disk, "PATH r|w COUNT BYTES: so many operations past the page cache"},
    {"interfaces", probe_interfaces, "network interfaces and their addresses"},
    {"tcp-serve", probe_tcp_serve, "ADDRESS PORT [COUNT]: echoes COUNT connections, for ever without"},
    {"tcp-ask", probe_tcp_ask, "ADDRESS PORT TEXT: the answer"},
    {"udp-serve", probe_udp_serve, "ADDRESS PORT [COUNT]"},
    {"udp-ask", probe_udp_ask, "ADDRESS PORT TEXT"},
};
static const size_t verb_count = sizeof verbs / sizeof *verbs;

int refused(const char *name) {
  const char *error = strerrorname_np(errno);
  printf("%s: %s\n", name, error ? error : "?");
  return 1;
}

uint64_t number(const char *text) { return strtoull(text, NULL, 0); }

const char *argument(int count, char **args, int index, const char *otherwise) {
  return index < count ? args[index] : otherwise;
}

static int usage(void) {
  for (size_t i = 0; i < verb_count; i++) printf("%-12s %s\n", verbs[i].name, verbs[i].does);
  return 2;
}

static int run(int count, char **args) {
  for (size_t i = 0; count > 0 && i < verb_count; i++)
    if (!strcmp(verbs[i].name, args[0])) return verbs[i].run(count - 1, args + 1);
  return usage();
}

int main(int count, char **args) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int code = count > 1 ? 0 : usage();
  for (int from = 1; from < count;) {
    int to = from;
    while (to < count && strcmp(args[to], "then")) to++;
    if (to < count) args[to] = NULL;
    code = run(to - from, args + from);
    from = to + 1;
  }
  fflush(stdout);
  return code;
}
