/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's birth: own cgroup, own uid, no capabilities, inherited descriptors only. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loader.h"

#define FIRST_FD 3

/* Moves the calling process into a cgroup. */
static int enter_cgroup(const char *cgroup)
{
	char path[4200];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, "0", 1) != 1)
		err = -errno;
	close(fd);
	return err;
}

/* No capability in any set, and none to be had again. */
static int drop_privileges(uid_t uid)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {};

	for (int cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	if (syscall(SYS_capset, &h, d) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return 0;
}

static void child(const struct session *s, int channel, pid_t parent)
{
	/* the heap grows in small steps: a flood of questions leaves garbage, and memory is budgeted */
	static char *argv[] = {BIN_DIR "/node",
			       "--max-semi-space-size=2",
			       "--heap-growing-percent=15",
			       "--disable-warning=ExperimentalWarning",
			       BIN_DIR "/daemon/index.js",
			       NULL};
	static char *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	int next = FIRST_FD + 1, high[SOCKETS_MAX + 2];
	size_t n = 0;
	int null = open("/dev/null", O_RDWR);

	/* nothing of main's: a pipe held open would keep its step from ending */
	if (null < 0)
		_exit(74);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (enter_cgroup(s->daemon_cgroup))
		_exit(70);
	/* everything above the reach of the fixed numbers first, then down to them */
	high[n++] = fcntl(channel, F_DUPFD, 512);
	high[n++] = fcntl(s->audit_fd, F_DUPFD, 512);
	for (size_t i = 0; i < s->socket_count; i++)
		if (s->sockets[i].tcp) /* datagrams come as frames */
			high[n++] = fcntl(s->sockets[i].fd, F_DUPFD, 512);
	dup2(high[0], FIRST_FD);
	for (size_t i = 1; i < n; i++)
		dup2(high[i], next++);
	syscall(SYS_close_range, (unsigned int)next, ~0U, 0);
	if (drop_privileges(s->daemon_uid))
		_exit(71);
	/* a change of uid clears it; a parent that died before this line is seen after it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(75);
	if (chdir("/"))
		_exit(72);
	execve(argv[0], argv, env);
	_exit(73);
}

pid_t daemon_start(const struct session *s, int *channel)
{
	pid_t pid, parent = getpid();
	int pair[2];

	/* one daemon at a time, also after a loader that left a stopped one behind */
	cgroup_empty(s->daemon_cgroup);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (!pid) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		child(s, pair[1], parent);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -errno;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	*channel = pair[0];
	return pid;
}
