/**
 * The default profile: Docker's (moby/profiles 0.2.3) as a table. What is not named fails with EPERM; the comments say
 * why something is missing or tied to a condition. On x86-64 with the default capabilities 306 system calls are free.
 */
import { errno } from "../numbers/errno.ts";
import { namespaceFlags } from "../numbers/namespaces.ts";
import { allow, failWith, notPermitted } from "./actions.ts";
import { type Condition, defaultFlags, type Profile, type ProfileRule } from "./profile.ts";

const free = (names: string): ProfileRule => ({ names: names.trim().split(/\s+/), action: allow });

const needs = (capability: string, names: string): ProfileRule => ({
  ...free(names),
  includes: { capabilities: [capability] },
});

const when = (name: string, ...conditions: readonly Condition[]): ProfileRule => ({ ...free(name), conditions });

const argument = (index: number, comparison: Condition["comparison"], value: number): Condition => ({
  index,
  comparison,
  value: BigInt(value),
});

/** For everyone. */
const harmless: readonly ProfileRule[] = [
  // Files: their contents, …
  free(`close close_range copy_file_range creat dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl fcntl64 fdatasync
    flock fsync ftruncate ftruncate64 ioctl _llseek lseek open openat openat2 pipe pipe2 pread64 preadv preadv2
    pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range syncfs tee truncate
    truncate64 vmsplice write writev cachestat`),
  // … names and places, …
  free(`access chdir faccessat faccessat2 fchdir getcwd getdents getdents64 link linkat mkdir mkdirat mknod mknodat
    name_to_handle_at readlink readlinkat rename renameat renameat2 rmdir symlink symlinkat umask unlink unlinkat`),
  // … and what is known of them.
  free(`chmod chown chown32 fchmod fchmodat fchmodat2 fchown fchown32 fchownat fgetxattr flistxattr fremovexattr
    fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 futimesat getxattr getxattrat lchown lchown32 lgetxattr
    listxattr listxattrat llistxattr lremovexattr lsetxattr lstat lstat64 newfstatat removexattr removexattrat setxattr
    setxattrat stat stat64 statfs statfs64 statx utime utimensat utimensat_time64 utimes listmount statmount`),
  // Waiting for them. io_uring is missing: it does its calls where no filter sees them, and has had too many holes.
  free(`epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
    eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
    io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect poll ppoll ppoll_time64 pselect6
    pselect6_time64 select signalfd signalfd4`),
  // Memory. userfaultfd is missing (it makes races in the kernel easy to win), as is all that concerns other nodes.
  free(`brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2
    mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages`),
  // Processes and threads; kcmp and ptrace are below. The 64-bit getrlimit is ugetrlimit on older machines.
  free(`capget capset execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid getpriority getrlimit
    get_robust_list getrusage getsid get_thread_area gettid ioprio_get ioprio_set pidfd_open pidfd_send_signal prctl
    prlimit64 process_mrelease restart_syscall rseq sched_getaffinity sched_getattr sched_getparam
    sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield setpgid
    setpriority setrlimit set_robust_list setsid set_thread_area set_tid_address ugetrlimit uretprobe vfork wait4
    waitid waitpid`),
  // Who they are.
  free(`getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid
    getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid
    setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32`),
  // Signals.
  free(`alarm kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn tgkill tkill`),
  // Time. Reading it and, with a capability that containers do not have by default, adjusting it.
  free(`adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
    timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
    timerfd_gettime64 timerfd_settime timerfd_settime64 times`),
  // Talking to each other: futexes and System V's and POSIX's ways.
  free(`futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake ipc mq_getsetattr mq_notify mq_open
    mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd
    semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`),
  // Sockets. Not every family may be opened: below. 32-bit programs have socketcall, whose arguments lie in memory,
  // where no filter can look; without it most of them do not run.
  free(`accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
    recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`),
  // The machine, and fewer rights for oneself.
  free(`getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp sysinfo uname`),
];

/** The flags of clone that make namespaces: a new user namespace would bring all capabilities in it, and with them more kernel. */
const newNamespaces = BigInt(namespaceFlags(["mount", "uts", "ipc", "user", "pid", "network", "cgroup"]));

/** For everyone, but only with some arguments. */
const bounded: readonly ProfileRule[] = [
  // No AF_ALG (38: writes to the page cache through the crypto API, CVE-2026-31431) and no AF_VSOCK (40: reaches the
  // hypervisor past all network rules).
  when("socket", argument(0, "LT", 38)),
  when("socket", argument(0, "EQ", 39)),
  when("socket", argument(0, "GT", 40)),
  // PER_LINUX, PER_LINUX32, UNAME26, both, and the question which: the others bring back old kernels' weaknesses.
  ...[0, 0x8, 0x20000, 0x20008, 0xffff_ffff].map((persona) => when("personality", argument(0, "EQ", persona))),
  {
    ...when("clone", { index: 0, comparison: "MASKED_EQ", mask: newNamespaces, value: 0n }),
    excludes: { capabilities: ["CAP_SYS_ADMIN"] },
  },
  // Its flags lie in memory, where no filter can look: glibc then takes clone.
  { names: ["clone3"], action: failWith(errno("ENOSYS")), excludes: { capabilities: ["CAP_SYS_ADMIN"] } },
];

/** Before 4.8 a tracer could get past the filter (seccomp ran before ptrace). */
const traceable: ProfileRule = {
  ...free("process_vm_readv process_vm_writev ptrace"),
  includes: { minKernel: [4, 8] },
};

const ofArchitectures: readonly ProfileRule[] = [
  {
    ...free("arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"),
    includes: { architectures: ["arm", "arm64"] },
  },
  { ...free("arch_prctl"), includes: { architectures: ["amd64", "x32"] } },
  { ...free("modify_ldt"), includes: { architectures: ["amd64", "x32", "x86"] } },
];

/** What a capability stands for is no secret from its holder. */
const forCapabilities: readonly ProfileRule[] = [
  needs("CAP_DAC_READ_SEARCH", "open_by_handle_at"), // the way out of 2014's "Shocker"
  needs(
    "CAP_SYS_ADMIN",
    `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
    sethostname setns syslog umount umount2 unshare`,
  ),
  needs("CAP_SYS_BOOT", "reboot"),
  needs("CAP_SYS_CHROOT", "chroot"),
  needs("CAP_SYS_MODULE", "delete_module init_module finit_module"),
  needs("CAP_SYS_PACCT", "acct"),
  needs("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
  needs("CAP_SYS_RAWIO", "iopl ioperm"),
  needs("CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"),
  needs("CAP_SYS_TTY_CONFIG", "vhangup"),
  needs("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
  needs("CAP_SYSLOG", "syslog"),
  needs("CAP_BPF", "bpf"),
  needs("CAP_PERFMON", "perf_event_open"),
];

export const defaultProfile: Profile = {
  otherwise: notPermitted,
  architectures: {
    SCMP_ARCH_X86_64: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    SCMP_ARCH_AARCH64: ["SCMP_ARCH_ARM"],
  },
  rules: [...harmless, traceable, ...bounded, ...ofArchitectures, ...forCapabilities],
  flags: defaultFlags,
};
