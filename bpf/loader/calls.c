/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's seccomp filter. What is listed is allowed; every other call is refused with EPERM, and a
 * call newer than the list's base with ENOSYS, so that libc falls back as on an older kernel (clone3
 * to clone, io_uring to epoll). Another architecture's numbers end the process.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no numbers for this architecture"
#endif

#define X32_BIT 0x40000000u
/* From here on numbers are the same on every architecture, and every user of them has a fallback. */
#define NEWER 424u
#define INSTRUCTIONS_MAX 640
#define CONDITIONS_MAX 3
#define VALUES_MAX 8

/* Allowed whatever their arguments. */
static const unsigned int allowed[] = {
	/* descriptors */
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_pread64,
	SYS_preadv,
	SYS_lseek,
	SYS_close,
	SYS_dup,
	SYS_dup3,
	SYS_pipe2,
	SYS_eventfd2,
	SYS_fsync,
	SYS_fdatasync,
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
	SYS_ppoll,
	SYS_pselect6,
	/* files, all of them read-only by their mounts */
	SYS_openat,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_statfs,
	SYS_fstatfs,
	SYS_faccessat,
	SYS_readlinkat,
	SYS_getcwd,
	SYS_getdents64,
	/* sockets; what may be made is below */
	SYS_connect,
	SYS_bind,
	SYS_listen,
	SYS_accept,
	SYS_accept4,
	SYS_sendto,
	SYS_sendmsg,
	SYS_sendmmsg,
	SYS_recvfrom,
	SYS_recvmsg,
	SYS_recvmmsg,
	SYS_getsockname,
	SYS_getpeername,
	SYS_getsockopt,
	SYS_shutdown,
	/* memory */
	SYS_mmap,
	SYS_munmap,
	SYS_mprotect,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_membarrier,
	/* threads and time */
	SYS_futex,
	SYS_set_robust_list,
	SYS_set_tid_address,
	SYS_rseq,
	SYS_gettid,
	SYS_sched_yield,
	SYS_sched_getaffinity,
	SYS_sched_getparam,
	SYS_sched_getscheduler,
	SYS_sched_get_priority_max,
	SYS_sched_get_priority_min,
	SYS_exit,
	SYS_exit_group,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_clock_gettime,
	SYS_clock_getres,
	SYS_gettimeofday,
	/* who and where it is */
	SYS_getpid,
	SYS_getppid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getresuid,
	SYS_getresgid,
	SYS_getgroups,
	SYS_capget,
	SYS_uname,
	SYS_sysinfo,
	SYS_getrusage,
	SYS_getrandom,
	SYS_getrlimit,
/* old spellings of the above, for a libc that still uses them */
#ifdef __x86_64__
	SYS_open,
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_poll,
	SYS_select,
	SYS_epoll_wait,
	SYS_epoll_create,
	SYS_eventfd,
	SYS_pipe,
	SYS_dup2,
	SYS_time,
	SYS_arch_prctl,
#endif
#ifdef SYS_faccessat2
	SYS_faccessat2,
#endif
};

/* An argument, of which the masked bits must be one of the values. */
struct condition {
	unsigned int argument;
	uint32_t mask; /* 0: no condition */
	unsigned int count;
	uint32_t values[VALUES_MAX];
};

/* A call that is allowed where all its conditions hold; several of one call are alternatives. */
struct rule {
	unsigned int call;
	struct condition all[CONDITIONS_MAX];
};

#define NAMESPACES                                                                                    \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	 CLONE_NEWNET)
#define WHOLE 0xffffffffu

static const struct rule rules[] = {
	{SYS_socket,
	 {{0, WHOLE, 2, {AF_INET, AF_INET6}},
	  {1, 0xf, 2, {SOCK_STREAM, SOCK_DGRAM}},
	  {2, WHOLE, 3, {0, IPPROTO_TCP, IPPROTO_UDP}}}},
	{SYS_setsockopt,
	 {{1, WHOLE, 1, {SOL_SOCKET}},
	  {2,
	   WHOLE,
	   7,
	   {SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_LINGER}}}},
	{SYS_setsockopt,
	 {{1, WHOLE, 1, {IPPROTO_TCP}},
	  {2, WHOLE, 4, {TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT}}}},
	{SYS_setsockopt, {{1, WHOLE, 1, {IPPROTO_IPV6}}, {2, WHOLE, 1, {IPV6_V6ONLY}}}},
	{SYS_fcntl, {{1, WHOLE, 5, {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC}}}},
	{SYS_ioctl, {{1, WHOLE, 4, {FIONBIO, FIONREAD, FIOCLEX, TCGETS}}}},
	{SYS_prctl, {{0, WHOLE, 1, {PR_SET_NAME}}}},
	/* threads only */
	{SYS_clone, {{0, CLONE_VM | CLONE_THREAD | CLONE_PTRACE | NAMESPACES, 1, {CLONE_VM | CLONE_THREAD}}}},
	/* of itself only; a hard limit goes nowhere but down */
	{SYS_prlimit64, {{0, WHOLE, 1, {0}}}},
};

struct filter {
	struct sock_filter code[INSTRUCTIONS_MAX];
	unsigned short size;
	bool is_full;
};

static void add(struct filter *f, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
	if (f->size == INSTRUCTIONS_MAX)
		f->is_full = true;
	else
		f->code[f->size++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct filter *f, uint32_t offset)
{
	add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void give(struct filter *f, uint32_t result)
{
	add(f, BPF_RET | BPF_K, 0, 0, result);
}

/* The low half of an argument: what the kernel reads of all these, ints and flags of 32 bits. */
static uint32_t offset_of(unsigned int argument)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
}

/* Instructions of a condition, the jumps out of it not counted. */
static unsigned int length(const struct condition *c)
{
	return c->mask ? 2 + c->count : 0;
}

/* One rule; where a condition does not hold, the next rule is asked with the number loaded again. */
static void add_rule(struct filter *f, const struct rule *r)
{
	unsigned int left = 1; /* the verdict */

	for (int i = 0; i < CONDITIONS_MAX; i++)
		left += length(&r->all[i]);
	add(f, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)left, r->call);
	for (int i = 0; i < CONDITIONS_MAX; i++) {
		const struct condition *c = &r->all[i];

		if (!c->mask)
			continue;
		left -= length(c);
		load(f, offset_of(c->argument));
		add(f, BPF_ALU | BPF_AND | BPF_K, 0, 0, c->mask);
		for (unsigned int v = 0; v < c->count; v++)
			add(f, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(c->count - 1 - v),
			    (uint8_t)(v == c->count - 1 ? left : 0), c->values[v]);
	}
	give(f, SECCOMP_RET_ALLOW);
	load(f, offsetof(struct seccomp_data, nr));
}

static void add_head(struct filter *f)
{
	load(f, offsetof(struct seccomp_data, arch));
	add(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
	give(f, SECCOMP_RET_KILL_PROCESS);
	load(f, offsetof(struct seccomp_data, nr));
	/* x32: numbers of their own under the same architecture */
	add(f, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
	give(f, SECCOMP_RET_KILL_PROCESS);
}

int calls_restrict(unsigned int program)
{
	struct rule start = {SYS_execveat, {{0, WHOLE, 1, {program}}, {4, WHOLE, 1, {AT_EMPTY_PATH}}}};
	struct rule end = {SYS_tgkill, {{0, WHOLE, 1, {(uint32_t)getpid()}}}}; /* abort() */
	struct filter f = {};
	struct sock_fprog p = {.filter = f.code};

	add_head(&f);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		add(&f, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, allowed[i]);
		give(&f, SECCOMP_RET_ALLOW);
	}
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		add_rule(&f, &rules[i]);
	add_rule(&f, &start);
	add_rule(&f, &end);
	add(&f, BPF_JMP | BPF_JGE | BPF_K, 0, 1, NEWER);
	give(&f, SECCOMP_RET_ERRNO | ENOSYS);
	give(&f, SECCOMP_RET_ERRNO | EPERM);
	if (f.is_full)
		return -E2BIG;
	p.len = f.size;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) ? -errno : 0;
}
