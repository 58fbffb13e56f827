/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader start --cgroup PATH [--root] --uid UID --worker PID --node FILE --daemon DIR
 *              --object FILE [--keep] [--lockdown [--allow-command PATH]...]
 * loader unlock
 *
 * The front process (what sudo started) relays status lines to stdout until green. The keeper,
 * daemonised, prepares the machine, starts the loader proper, undoes everything when the start
 * fails, restarts the loader after green and tears down when the worker has exited.
 * Settings come as one JSON line on stdin; its end before green undoes the start. unlock.c has the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "keeper.h"
#include "paths.h"
#include "prepare.h"
#include "say.h"
#include "session.h"
#include "uid.h"
#include "unlock.h"

#define SETTINGS_MAX (4u << 20)

static struct session session = {
	.audit_fd = -1, .control_fd = -1, .canary_fd = -1, .status_fd = -1, .stdin_fd = -1};

/* A decimal number without sign, or -1. */
static long number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && value >= 0 && value <= INT_MAX ? value : -1;
}

/* A path that means nothing else in a sudoers file. */
static bool is_plain_path(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-/";

	return text[0] == '/' && strspn(text, plain) == strlen(text);
}

static int parse(int argc, char **argv, struct options *o)
{
	if (argc < 2 || strcmp(argv[1], "start"))
		return -1;
	o->uid = (uid_t)-1;
	for (int i = 2; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(name, "--root")) {
			o->root = true;
			continue;
		}
		if (!strcmp(name, "--keep")) {
			o->keep = true;
			continue;
		}
		if (!strcmp(name, "--lockdown")) {
			o->lockdown = true;
			continue;
		}
		if (!value)
			return -1;
		i++;
		if (!strcmp(name, "--cgroup"))
			o->cgroup = value;
		else if (!strcmp(name, "--uid"))
			o->uid = (uid_t)number(value);
		else if (!strcmp(name, "--worker"))
			o->worker = (pid_t)number(value);
		else if (!strcmp(name, "--node"))
			o->node = value;
		else if (!strcmp(name, "--daemon"))
			o->daemon_dir = value;
		else if (!strcmp(name, "--object"))
			o->object = value;
		else if (!strcmp(name, "--allow-command") && is_plain_path(value) &&
			 o->allow_count < ALLOW_MAX)
			o->allow[o->allow_count++] = value;
		else
			return -1;
	}
	return o->cgroup && o->node && o->daemon_dir && o->object && o->worker > 1 && o->uid != (uid_t)-1
		       ? 0
		       : -1;
}

/* The first check of all: what must never be filtered is not. 0, or an exit code. */
static int refuse_root(const struct options *o)
{
	bool never = access(NEVER_ROOT, F_OK) == 0;
	struct stat cgroup, root, mine, first;

	/* pid 2, the kernel's own, where pid 1 may not be looked at; neither: refused (fails closed) */
	if (never && (stat("/proc/self/ns/net", &mine) ||
		      (stat("/proc/1/ns/net", &first) && stat("/proc/2/ns/net", &first)) ||
		      mine.st_ino == first.st_ino)) {
		say_error(
			1, "refused", NEVER_ROOT " exists and this is the machine's first network namespace",
			"start in a network namespace of its own, or remove the file if this machine may be "
			"filtered");
		return EXIT_REFUSED;
	}
	if (stat(o->cgroup, &cgroup) || stat(cgroup_mount(), &root)) {
		say_error(1, "usage", "the cgroup does not exist",
			  "name a directory of the cgroup2 hierarchy");
		return EXIT_USAGE;
	}
	if (cgroup.st_dev != root.st_dev) {
		say_error(1, "usage", "the cgroup is not in the cgroup2 hierarchy",
			  "name a directory below the cgroup2 mount");
		return EXIT_USAGE;
	}
	/* 1: the root of the hierarchy, whatever part of it is mounted first */
	if (cgroup.st_ino != root.st_ino && cgroup.st_ino != 1)
		return 0;
	if (never) {
		say_error(1, "refused", NEVER_ROOT " exists and the cgroup is the root",
			  "name a cgroup below the root");
		return EXIT_REFUSED;
	}
	if (!o->root) {
		say_error(1, "refused", "the cgroup is the root of the hierarchy",
			  "say --root if the whole machine is meant");
		return EXIT_REFUSED;
	}
	return 0;
}

/* main's settings: one JSON line. */
static int read_settings(void)
{
	size_t size = 0;
	char *p = malloc(SETTINGS_MAX + 1);

	while (p && size <= SETTINGS_MAX) {
		ssize_t n = read(0, p + size, SETTINGS_MAX + 1 - size);
		char *end;

		if (n <= 0)
			return -1;
		end = memchr(p + size, '\n', (size_t)n);
		size += (size_t)n;
		if (!end)
			continue;
		*end = 0;
		session.settings = p;
		session.settings_size = (size_t)(end - p);
		session.early = end + 1;
		session.early_size = size - session.settings_size - 1;
		return 0;
	}
	return -1;
}

/* The front: relays until the keeper says how it ended. */
static int front(int status, int code)
{
	unsigned char exit_code = EXIT_FAILED;
	bool green = false, explained = false;
	FILE *lines = fdopen(status, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while (lines && (n = getline(&line, &room, lines)) > 0) {
		green |= !strncmp(line, "{\"stage\":\"green\"", 16);
		explained |= !strncmp(line, "{\"error\"", 8);
		if (write(1, line, (size_t)n) != n)
			break;
	}
	if (green)
		return EXIT_GREEN;
	(void)!read(code, &exit_code, 1);
	if (!explained)
		say_error(1, "failed", "the loader or the daemon ended before the wall stood",
			  "run the step again, and report it if it happens again");
	return exit_code;
}

static int run_unlock(void)
{
	const char *why = "";
	int code = unlock(&why);

	if (code)
		say_error(1, "locked", why, "try again when that job has ended, or start as root");
	return code;
}

int main(int argc, char **argv)
{
	int status[2], code[2], lock, refused, stdin_fd;
	unsigned char result;
	char message[256];
	pid_t pid;

	/* nothing of main's environment stays readable in /proc */
	if (environ[0] && !execve("/proc/self/exe", argv, (char *[]){NULL}))
		return EXIT_FAILED;
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "unlock"))
		return run_unlock();
	if (parse(argc, argv, &session.options)) {
		say_error(1, "usage", "unknown or missing argument", "see the head of bpf/loader/main.c");
		return EXIT_USAGE;
	}
	refused = refuse_root(&session.options);
	if (refused)
		return refused;
	clearenv();
	lock = open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0) {
		snprintf(message, sizeof(message), LOCK_FILE ": %s", strerror(errno));
		say_error(1, "refused", message, "remove what stands in the lock file's place");
		return EXIT_REFUSED;
	}
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		say_error(1, "running", "another cargowall is running on this machine",
			  "use the action once in a job");
		return EXIT_RUNNING;
	}
	snprintf(session.loader_cgroup, sizeof(session.loader_cgroup), "%s/cargowall.loader",
		 session.options.cgroup);
	snprintf(session.daemon_cgroup, sizeof(session.daemon_cgroup), "%s/cargowall.daemon",
		 session.options.cgroup);
	session.daemon_uid = uid_unused();
	if (access(CONTROL_SOCKET, F_OK) == 0)
		session_undo(&session); /* remains of a start that ended without its keeper */
	if (read_settings()) {
		say_error(1, "usage", "no settings on stdin", "send the session as one JSON line");
		return EXIT_USAGE;
	}
	stdin_fd = fcntl(0, F_DUPFD_CLOEXEC, 16);
	if (stdin_fd < 0 || pipe2(status, O_CLOEXEC) || pipe2(code, O_CLOEXEC)) {
		snprintf(message, sizeof(message), "the loader's own descriptors: %s", strerror(errno));
		say_error(1, "failed", message, "raise the limit on open files");
		return EXIT_FAILED;
	}
	pid = fork();
	if (pid) {
		close(status[1]);
		close(code[1]);
		close(lock);
		close(stdin_fd);
		return pid < 0 ? EXIT_FAILED : front(status[0], code[0]);
	}
	setsid();
	if (fork())
		_exit(0);
	session.stdin_fd = stdin_fd;
	fcntl(session.stdin_fd, F_SETFL, O_NONBLOCK);
	session.status_fd = status[1];
	result = (unsigned char)keeper(&session, lock);
	(void)!write(code[1], &result, 1);
	_exit(result);
}
