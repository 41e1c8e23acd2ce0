/** The system calls of x86-64 as of Linux 7.0 (arch/x86/entry/syscalls/syscall_64.tbl), and how x32's differ. */
import { syscallNumbers } from "./syscall-table.ts";

export const x8664Syscalls = syscallNumbers([
  [0, "read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction"],
  [14, "rt_sigprocmask rt_sigreturn ioctl pread64 pwrite64 readv writev access pipe select sched_yield"],
  [25, "mremap msync mincore madvise shmget shmat shmctl dup dup2 pause nanosleep getitimer alarm setitimer"],
  [39, "getpid sendfile socket connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen"],
  [51, "getsockname getpeername socketpair setsockopt getsockopt clone fork vfork execve exit wait4 kill"],
  [63, "uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate"],
  [77, "ftruncate getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod"],
  [91, "fchmod chown fchown lchown umask gettimeofday getrlimit getrusage sysinfo times ptrace getuid syslog"],
  [104, "getgid setuid setgid geteuid getegid setpgid getppid getpgrp setsid setreuid setregid getgroups"],
  [116, "setgroups setresuid getresuid setresgid getresgid getpgid setfsuid setfsgid getsid capget capset"],
  [127, "rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod uselib"],
  [135, "personality ustat statfs fstatfs sysfs getpriority setpriority sched_setparam sched_getparam"],
  [144, "sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min"],
  [148, "sched_rr_get_interval mlock munlock mlockall munlockall vhangup modify_ldt pivot_root _sysctl prctl"],
  [158, "arch_prctl adjtimex setrlimit chroot sync acct settimeofday mount umount2 swapon swapoff reboot"],
  [170, "sethostname setdomainname iopl ioperm create_module init_module delete_module get_kernel_syms"],
  [178, "query_module quotactl nfsservctl getpmsg putpmsg afs_syscall tuxcall security gettid readahead"],
  [188, "setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr"],
  [197, "removexattr lremovexattr fremovexattr tkill time futex sched_setaffinity sched_getaffinity"],
  [205, "set_thread_area io_setup io_destroy io_getevents io_submit io_cancel get_thread_area lookup_dcookie"],
  [213, "epoll_create epoll_ctl_old epoll_wait_old remap_file_pages getdents64 set_tid_address"],
  [219, "restart_syscall semtimedop fadvise64 timer_create timer_settime timer_gettime timer_getoverrun"],
  [226, "timer_delete clock_settime clock_gettime clock_getres clock_nanosleep exit_group epoll_wait"],
  [233, "epoll_ctl tgkill utimes vserver mbind set_mempolicy get_mempolicy mq_open mq_unlink mq_timedsend"],
  [243, "mq_timedreceive mq_notify mq_getsetattr kexec_load waitid add_key request_key keyctl ioprio_set"],
  [252, "ioprio_get inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat mkdirat mknodat"],
  [260, "fchownat futimesat newfstatat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat"],
  [270, "pselect6 ppoll unshare set_robust_list get_robust_list splice tee sync_file_range vmsplice"],
  [279, "move_pages utimensat epoll_pwait signalfd timerfd_create eventfd fallocate timerfd_settime"],
  [287, "timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev"],
  [297, "rt_tgsigqueueinfo perf_event_open recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at"],
  [304, "open_by_handle_at clock_adjtime syncfs sendmmsg setns getcpu process_vm_readv process_vm_writev kcmp"],
  [313, "finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create kexec_file_load"],
  [321, "bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc"],
  [331, "pkey_free statx io_pgetevents rseq uretprobe uprobe"],
  [424, "pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen"],
  [431, "fsconfig fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2 process_madvise"],
  [441, "epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule"],
  [446, "landlock_restrict_self memfd_secret process_mrelease futex_waitv set_mempolicy_home_node cachestat"],
  [452, "fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount lsm_get_self_attr"],
  [460, "lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat"],
  [467, "open_tree_attr file_getattr file_setattr listns rseq_slice_yield"],
]);

/** The bit that marks a call as x32's: the architecture of the audit interface is x86-64's for both. */
export const x32Bit = 0x4000_0000;

/** Not in x32: calls that take pointers in structures have numbers of their own there, and dead ones never came. */
const absentInX32 = new Set(
  (
    "uselib _sysctl create_module get_kernel_syms query_module nfsservctl set_thread_area get_thread_area " +
    "epoll_ctl_old epoll_wait_old vserver"
  ).split(" "),
);

const ownInX32 = syscallNumbers([
  [512, "rt_sigaction rt_sigreturn ioctl readv writev recvfrom sendmsg recvmsg execve ptrace rt_sigpending"],
  [523, "rt_sigtimedwait rt_sigqueueinfo sigaltstack timer_create mq_notify kexec_load waitid set_robust_list"],
  [531, "get_robust_list vmsplice move_pages preadv pwritev rt_tgsigqueueinfo recvmmsg sendmmsg"],
  [539, "process_vm_readv process_vm_writev setsockopt getsockopt io_setup io_submit execveat preadv2"],
  [547, "pwritev2"],
]);

/** The system calls of x32, with the bit: x86-64's, but for those that have numbers of their own from 512 on. */
export const x32Syscalls: ReadonlyMap<string, number> = new Map(
  [...[...x8664Syscalls].filter(([name]) => !absentInX32.has(name)), ...ownInX32].map(([name, number]) => [
    name,
    number + x32Bit,
  ]),
);
