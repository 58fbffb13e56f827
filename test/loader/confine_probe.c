/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in the daemon's place (the loader's --node) and tries what the daemon may not. One line a try to
 * the log it inherits: NAME and the error it got, or "ok".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LOG 4
#define PROGRAM_FD 16384 /* bpf/loader/confine.c */
#define NODE "/run/cargowall/bin/node"
#define FS_IOC_SETFLAGS_ _IOW('f', 2, long)

static void tell(const char *name, long result)
{
	dprintf(LOG, "%s %s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
}

#define TRY(name, call) (errno = 0, tell(name, (long)(call)))

static void try_files(void)
{
	static const char *const absent[] = {"/home",
					     "/root",
					     "/etc/passwd",
					     "/etc/sudoers",
					     "/var",
					     "/tmp",
					     "/dev/null",
					     "/workspace",
					     "/run/docker.sock",
					     "/proc/1",
					     "/proc/kallsyms",
					     "/proc/sys",
					     "/sys/kernel",
					     "/sys/fs/bpf",
					     "/run/cargowall/bpf",
					     "/run/cargowall/session.json",
					     "/run/cargowall/control.sock"};
	static const char *const made[] = {
		"/x",	     "/run/x", "/run/cargowall/x", "/run/cargowall/records/x", "/run/cargowall/bin/x",
		"/usr/lib/x"};
	char name[128];

	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		snprintf(name, sizeof(name), "open:%s", absent[i]);
		TRY(name, open(absent[i], O_RDONLY));
	}
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		snprintf(name, sizeof(name), "create:%s", made[i]);
		TRY(name, open(made[i], O_WRONLY | O_CREAT, 0600));
	}
	TRY("write:log by path", open("/run/cargowall/records/audit.jsonl", O_WRONLY));
	TRY("read:log by path", open("/run/cargowall/records/audit.jsonl", O_RDONLY));
	TRY("truncate:log", ftruncate(LOG, 0));
	TRY("flags:log", ioctl(LOG, FS_IOC_SETFLAGS_, &(int){0}));
	TRY("mount", mount("x", "/usr", "tmpfs", 0, ""));
	TRY("chroot", chroot("/usr"));
	TRY("mkdir", mkdir("/x", 0700));
	TRY("unlink", unlink(NODE));
	TRY("chmod", chmod(NODE, 0777));
}

static void try_processes(pid_t parent)
{
	char *argv[] = {NODE, NULL}, *env[] = {NULL}, byte;
	struct iovec v = {&byte, 1};

	TRY("execve", execve(NODE, argv, env));
	TRY("execveat by path", syscall(SYS_execveat, AT_FDCWD, NODE, argv, env, 0));
	TRY("execveat by number", syscall(SYS_execveat, PROGRAM_FD, "", argv, env, AT_EMPTY_PATH));
	TRY("that number again", dup3(LOG, PROGRAM_FD, 0));
	TRY("a higher limit", setrlimit(RLIMIT_NOFILE, &(struct rlimit){PROGRAM_FD + 1, PROGRAM_FD + 1}));
	TRY("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	TRY("clone3", syscall(SYS_clone3, &(uint64_t[8]){0}, 64));
	TRY("clone newuser",
	    syscall(SYS_clone, CLONE_NEWUSER | CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0));
	TRY("unshare", unshare(CLONE_NEWUSER));
	TRY("setns", setns(LOG, 0));
	TRY("kill", kill(parent, SIGKILL));
	TRY("tgkill", syscall(SYS_tgkill, parent, parent, SIGKILL));
	TRY("pidfd_open", syscall(SYS_pidfd_open, parent, 0));
	TRY("ptrace", syscall(SYS_ptrace, 16, parent, 0, 0));
	TRY("process_vm_readv", process_vm_readv(parent, &v, 1, &v, 1, 0));
	TRY("process_vm_writev", process_vm_writev(parent, &v, 1, &v, 1, 0));
	TRY("a dump", prctl(PR_SET_DUMPABLE, 1));
	TRY("no death with the parent", prctl(PR_SET_PDEATHSIG, 0));
	TRY("prlimit of another", prlimit(parent, RLIMIT_NOFILE, NULL, &(struct rlimit){}));
}

static void try_kernel(void)
{
	union bpf_attr attr = {};
	struct perf_event_attr perf = {.size = sizeof(perf)};
	char params[256] = {};

	TRY("bpf", syscall(SYS_bpf, 0, &attr, sizeof(attr)));
	TRY("perf_event_open", syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0));
	TRY("keyctl", syscall(SYS_keyctl, 0, -3, 1, 0, 0));
	TRY("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -3));
	TRY("userfaultfd", syscall(SYS_userfaultfd, 1));
	TRY("io_uring_setup", syscall(SYS_io_uring_setup, 4, params));
	TRY("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	TRY("init_module", syscall(SYS_init_module, "", 0, ""));
	TRY("finit_module", syscall(SYS_finit_module, LOG, "", 0));
	TRY("memfd_create", syscall(SYS_memfd_create, "x", 0));
	TRY("seccomp", syscall(SYS_seccomp, 0, 0, NULL));
	TRY("setuid", syscall(SYS_setuid, 0));
	TRY("clock_settime", syscall(SYS_clock_settime, 0, &(long[2]){0, 0}));
}

static void try_sockets(void)
{
	TRY("socket:packet", socket(AF_PACKET, SOCK_RAW, 0));
	TRY("socket:raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	TRY("socket:ping", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	TRY("socket:mptcp", socket(AF_INET, SOCK_STREAM, 262));
	TRY("socket:unix", socket(AF_UNIX, SOCK_STREAM, 0));
	TRY("socket:netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	TRY("socket:vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	TRY("socket:alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
	TRY("socket:xdp", socket(AF_XDP, SOCK_RAW, 0));
	TRY("socket:udp4", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	TRY("socket:tcp6", socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
	TRY("mark", setsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_MARK, &(int){1}, 4));
}

static void *nothing(void *p)
{
	return p;
}

/* Another architecture's number: the end, and never the line behind it. */
static void ask_foreign(int signal)
{
	(void)signal;
#ifdef __x86_64__
	__asm__ volatile("int $0x80" ::"a"(20) : "memory");
#else
	raise(SIGKILL);
#endif
	dprintf(LOG, "survived ok\n");
}

int main(void)
{
	pid_t parent = getppid();
	pthread_t thread;

	signal(SIGUSR1, ask_foreign);
	try_files();
	try_processes(parent);
	try_kernel();
	try_sockets();
	errno = pthread_create(&thread, NULL, nothing, NULL);
	tell("thread", errno ? -1 : 0);
	dprintf(LOG, "end ok\n");
	for (;;)
		poll(NULL, 0, -1);
}
