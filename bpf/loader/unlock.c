/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `loader unlock`, the one command a lockdown leaves the job's user: gives back what was taken once keeper and
 * loader have been killed and the worker they guarded has exited. The caller is the adversary: everything is
 * read from root's files, under the session's own lock, and what can't be known is a refusal (fails
 * closed). A worker that has exited stays so: what was found holds while it is acted on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lockdown.h"
#include "paths.h"
#include "proc.h"
#include "processes.h"
#include "unlock.h"

#define OWN_PIDS "/proc/self/ns/pid"

/* Pid numbers say nothing in another namespace of them. */
int unlock_prepare(const struct session *s)
{
	uint64_t ticks, pids = namespace_of(OWN_PIDS);
	int fd = open(WORKER_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		return -errno;
	if (!pids || process_started(s->options.worker, &ticks)) {
		fclose(f);
		return -ESRCH;
	}
	fprintf(f, "%d %llu %llu\n", s->options.worker, (unsigned long long)ticks, (unsigned long long)pids);
	return fclose(f) ? -errno : 0;
}

/* Exited with all its threads, whether or not somebody has asked for its exit code. */
static bool has_exited(pid_t pid, uint64_t ticks)
{
	struct pollfd p = {.events = POLLIN};
	uint64_t now;
	bool exited;

	if (kill(pid, 0) && errno == ESRCH)
		return true;
	if (process_started(pid, &now))
		return false;
	if (now != ticks)
		return true; /* the number is another's by now */
	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	exited = p.fd >= 0 && poll(&p, 1, 0) == 1 && p.revents & POLLIN;
	if (p.fd >= 0)
		close(p.fd);
	return exited;
}

static bool worker_has_exited(void)
{
	unsigned long long ticks, pids;
	int pid, found;
	FILE *f = fopen(WORKER_FILE, "re");

	if (!f)
		return false;
	found = fscanf(f, "%d %llu %llu", &pid, &ticks, &pids);
	fclose(f);
	return found == 3 && pid > 1 && pids == namespace_of(OWN_PIDS) && has_exited(pid, ticks);
}

int unlock(const char **why)
{
	int lock, code = EXIT_RUNNING;
	sigset_t all;

	/* the caller's terminal has no say */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	*why = LOCK_FILE " can not be opened";
	lock = open(LOCK_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (lock < 0)
		return EXIT_REFUSED;
	/* keeper and loader hold it while one of them lives, and no start can come in between */
	*why = "a cargowall is running on this machine";
	if (!flock(lock, LOCK_EX | LOCK_NB)) {
		*why = "the job that is locked down has not ended";
		if (worker_has_exited()) {
			lockdown_undo();
			code = EXIT_GREEN;
		}
	}
	close(lock);
	return code;
}
