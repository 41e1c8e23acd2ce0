/* Version 2 of control groups asks a program of ours at each use of a device. */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper.h"

#define INSTRUCTION_SIZE 8

static int bpf(int command, union bpf_attr *attributes) {
  return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

int step_attach_device_filter(struct keeper *k, const struct argument *a) {
  union bpf_attr load;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = (uint64_t)(uintptr_t)a[ATTACH_DEVICE_FILTER_PROGRAM].bytes;
  load.insn_cnt = (uint32_t)(a[ATTACH_DEVICE_FILTER_PROGRAM].length / INSTRUCTION_SIZE);
  load.license = (uint64_t)(uintptr_t) "Apache-2.0";
  int program = bpf(BPF_PROG_LOAD, &load);
  if (program < 0) return errno;

  union bpf_attr attach;
  memset(&attach, 0, sizeof attach);
  attach.target_fd = (uint32_t)k->slots[a[ATTACH_DEVICE_FILTER_SLOT].number];
  attach.attach_bpf_fd = (uint32_t)program;
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI; /* beside what is attached above: all must allow */
  int error = bpf(BPF_PROG_ATTACH, &attach) < 0 ? errno : 0;
  close(program);
  return error;
}
