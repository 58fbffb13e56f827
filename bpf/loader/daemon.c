/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's birth: own cgroup, own uid, no capabilities, inherited descriptors only, confined. */
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

#include "cgroup.h"
#include "confine.h"
#include "daemon.h"
#include "frame.h"
#include "paths.h"

#define FIRST_FD 3

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

/* The descriptors the daemon gets, by fixed numbers: its channel, the log, the proxy's sockets. */
static void pass_descriptors(const struct session *s, int channel)
{
	int next = FIRST_FD + 1, high[SOCKETS_MAX + 2];
	size_t n = 0;

	/* everything above the reach of the fixed numbers first, then down to them */
	high[n++] = fcntl(channel, F_DUPFD, 512);
	high[n++] = fcntl(s->audit_fd, F_DUPFD, 512);
	for (size_t i = 0; i < s->socket_count; i++)
		high[n++] = fcntl(s->sockets[i].fd, F_DUPFD, 512);
	dup2(high[0], FIRST_FD);
	for (size_t i = 1; i < n; i++)
		dup2(high[i], next++);
	syscall(SYS_close_range, (unsigned int)next, ~0U, 0);
}

/* Why there is no daemon, for main; nothing was started that could say it itself. */
static _Noreturn void give_up(const char *what, const char *why, int err)
{
	char line[512];
	int n = snprintf(line, sizeof(line),
			 "{\"error\":{\"code\":\"daemon\",\"message\":\"the daemon could not be started: "
			 "%s%s: %s\",\"remedy\":\"run it where root may make namespaces and mounts, "
			 "or use another runner\"}}",
			 what, why, strerror(-err));

	(void)frame_send(FIRST_FD, FRAME_STAGE, 0, 0, line, (size_t)n);
	_exit(70);
}

static _Noreturn void child(const struct session *s, int channel, pid_t parent)
{
	/* the heap grows in small steps, and not past what must fit: memory is budgeted */
	static char *argv[] = {BIN_DIR "/node",
			       "--max-semi-space-size=2",
			       "--heap-growing-percent=15",
			       "--max-old-space-size=160",
			       "--v8-pool-size=1",
			       "--disable-warning=ExperimentalWarning",
			       BIN_DIR "/daemon/index.js",
			       NULL};
	/* two threads at most allocate much: arenas for more would be memory nobody uses */
	static char *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "MALLOC_ARENA_MAX=2", NULL};
	int null = open("/dev/null", O_RDWR), err;
	const char *why = "";

	/* nothing of main's: a pipe held open would keep its step from ending */
	if (null < 0)
		_exit(74);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	pass_descriptors(s, channel);
	err = cgroup_enter(s->daemon_cgroup);
	if (err)
		give_up("its cgroup", "", err);
	err = confine_view(&why);
	if (err)
		give_up("its file system, ", why, err);
	err = confine_program(argv[0]);
	if (err)
		give_up(argv[0], "", err);
	err = drop_privileges(s->daemon_uid);
	if (err)
		give_up("its privileges", "", err);
	/* a change of uid clears it; a parent that died before this line is seen after it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(75);
	give_up(argv[0], "", confine_start(argv, env));
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
