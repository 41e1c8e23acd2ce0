/* What the keeper asks the kernel for through the C library: calls that answer -1 when they fail, and those that answer no
 * pointer. fault.c and keeper.ts read this table. (`rename` has a place of its own.) */
#pragma once

#define CALLS(X) \
  X(accept4) X(bind) X(chdir) X(connect) X(dup2) X(dup3) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(eventfd) X(execve) \
  X(faccessat) X(fchdir) X(fchmod) X(fchmodat) X(fchown) X(fchownat) X(fcntl) X(fgetxattr) X(flistxattr) X(fork) \
  X(fsetxattr) X(fstat) X(fstatat) X(ftruncate) X(futimens) X(getsockname) X(getsockopt) X(ioctl) X(lgetxattr) X(linkat) \
  X(listen) X(llistxattr) X(lseek) X(lsetxattr) X(lstat) X(mkdir) X(mkdirat) X(mkfifoat) X(mknodat) X(mmap) X(mount) \
  X(open) X(openat) X(pipe2) X(poll) X(prctl) X(pread) X(read) X(readlinkat) X(recv) X(recvfrom) X(recvmsg) X(renameat2) \
  X(rmdir) X(send) X(sendfile) X(sendmsg) X(sendto) X(setdomainname) X(setgroups) X(sethostname) X(setns) X(setresgid) \
  X(setresuid) X(setrlimit) X(setsockopt) X(socket) X(socketpair) X(splice) X(stat) X(symlinkat) X(syncfs) X(syscall) \
  X(umount2) X(unlink) X(unlinkat) X(unshare) X(utimensat) X(write)

#define POINTER_CALLS(X) X(calloc) X(fdopendir) X(fopen) X(malloc) X(readdir) X(realloc) X(reallocarray)
