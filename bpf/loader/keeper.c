/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper, root's parent of the loader: prepares the machine, starts the loader, undoes everything when
 * the start fails, restarts the loader after green and tears down when the worker has exited.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "keeper.h"
#include "main_pipes.h"
#include "prepare.h"
#include "proc.h"
#include "say.h"
#include "serve.h"

static struct session *session;

static int enter_own_cgroup(void)
{
	if (mkdir(session->loader_cgroup, 0755) && errno != EEXIST)
		return -errno;
	return cgroup_enter(session->loader_cgroup);
}

static int watch(bool green);

static pid_t start_loader(bool restarted)
{
	pid_t keeper_pid = getpid();
	pid_t pid = fork();
	int code;

	if (pid) {
		session->loader_held = false;
		return pid;
	}
	/* before green all die together: nothing is pinned, so the kernel drops the links */
	if (!restarted && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != keeper_pid))
		_exit(EXIT_FAILED);
	code = serve(session, restarted);
	if (code != SERVE_ALONE)
		_exit(code);
	/* the keeper is gone: this process is the keeper now, and starts a loader of its own */
	session->keeper_lost = true;
	_exit(watch(true));
}

/* Undoes a start, and says so once it has looked. */
static void undo_start(void)
{
	static const char undone[] = "{\"stage\":\"undone\"}\n";

	session_undo(session);
	if (session_is_undone(session))
		(void)!write(session->status_fd, undone, sizeof(undone) - 1);
}

/* The loader has ended: before green the start is undone, after it a new one goes on. */
static int loader_ended(bool green, int status, pid_t *loader)
{
	if (green) {
		*loader = start_loader(true);
		return 0;
	}
	undo_start();
	return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

#define LOOK_MS 250 /* the kernel tells a tracer alone */

/*
 * A loader that a tracer has stopped tells nothing, and a dead one that it does not let go is never reaped:
 * another one takes its place, and tells. Its pid, or that of the one that is there.
 */
static pid_t look_after(pid_t loader)
{
	char state = loader > 1 ? process_state(loader) : 0;

	if (state == 't') {
		session->loader_held = true;
		kill(loader, SIGKILL);
	}
	if (state != 'Z')
		return loader;
	(void)waitpid(loader, NULL, WNOHANG);
	return start_loader(true);
}

/* The keeper: its return value is the start's exit code, or 0 after a teardown. */
static int watch(bool green)
{
	struct signalfd_siginfo info;
	pid_t loader, ended;
	char message[128];
	struct pollfd p[2];
	sigset_t set;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	if (!green)
		session->worker_fd = (int)syscall(SYS_pidfd_open, session->options.worker, 0);
	p[0] = (struct pollfd){signalfd(-1, &set, SFD_CLOEXEC), POLLIN, 0};
	p[1] = (struct pollfd){session->worker_fd, POLLIN, 0};
	session->keeper_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (p[0].fd < 0 || session->keeper_fd < 0 || (p[1].fd < 0 && !session->options.keep)) {
		snprintf(message, sizeof(message), "the worker can not be watched: %s", strerror(errno));
		say_error(session->status_fd, "failed", message,
			  "pass the pid of the runner's worker, or raise the limit on open files");
		if (!green)
			undo_start();
		return EXIT_FAILED;
	}
	loader = start_loader(green);
	session->keeper_lost = false;
	for (;;) {
		if (poll(p, session->options.keep ? 1 : 2, LOOK_MS) < 0)
			continue;
		if (green)
			loader = look_after(loader);
		if (p[1].revents && !session->options.keep)
			break; /* the worker is gone */
		if (!(p[0].revents & POLLIN) || read(p[0].fd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGUSR1 && (pid_t)info.ssi_pid == loader) {
			green = true;
			session->green = true;
			main_leave(session);
			continue;
		}
		while ((ended = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
			int code = 0;

			if (WIFSTOPPED(status))
				kill(ended, SIGKILL); /* one that stands still is ended: its end follows */
			else if (ended == loader)
				code = loader_ended(green, status, &loader);
			if (code)
				return code;
		}
	}
	kill(loader, SIGKILL);
	waitpid(loader, &status, 0);
	if (green)
		session_undo(session);
	else
		undo_start();
	return green ? 0 : EXIT_FAILED;
}

/*
 * When the machine's memory is full, whoever took it ends before keeper, loader and daemon, which inherit
 * this. main's value may be a step's own, which the runner raises; without CAP_SYS_RESOURCE it is only
 * taken back.
 */
static void outlive_memory(void)
{
	static const char *const values[] = {"-900", "0"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
		bool done = fd >= 0 && write(fd, values[i], strlen(values[i])) > 0;

		if (fd >= 0)
			close(fd);
		if (done)
			return;
	}
}

int keeper(struct session *s, int lock)
{
	const char *why = "";
	char message[4300];
	int err;

	session = s;
	prctl(PR_SET_NAME, "cargowall");
	err = enter_own_cgroup();
	if (err)
		why = session->loader_cgroup;
	outlive_memory();
	if (!err)
		err = session_prepare(session, &why);
	if (err) {
		snprintf(message, sizeof(message), "%s: %s", why, strerror(-err));
		say_error(session->status_fd, "start-failed", message,
			  "give the machine what the message names, or use another runner");
		undo_start();
		close(lock);
		return EXIT_FAILED;
	}
	return watch(false);
}
