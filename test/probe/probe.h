// The payload of container tests: one static program, many verbs, an answer a line.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A verb gets its arguments after its own name, ended by NULL, and gives an exit code.
typedef int verb(int count, char **args);

verb probe_id, probe_caps, probe_security, probe_limits, probe_umask, probe_env, probe_args, probe_cwd, probe_tty,
    probe_host, probe_descriptors;
verb probe_open, probe_cat, probe_write, probe_stat, probe_list, probe_mknod, probe_syscall, probe_int80;
verb probe_swap, probe_tamper, probe_links, probe_trace, probe_writable, probe_handle, probe_type, probe_connect;
verb probe_exit, probe_signal, probe_sleep, probe_spin, probe_trap, probe_setuid, probe_exec, probe_chdir;
verb probe_bytes, probe_verify, probe_lines, probe_echo, probe_hold;
verb probe_tick, probe_churn;
verb probe_fork, probe_orphans, probe_memory, probe_bomb, probe_files, probe_disk;
verb probe_interfaces, probe_tcp_serve, probe_tcp_ask, probe_udp_serve, probe_udp_ask;

// Says "NAME: ERRNO" and gives 1.
int refused(const char *name);

uint64_t number(const char *text);

// The argument, or the default when there are fewer.
const char *argument(int count, char **args, int index, const char *otherwise);
