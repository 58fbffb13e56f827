/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader start --cgroup PATH [--root] --uid UID --worker PID --node FILE --daemon DIR
 *              --object FILE [--keep]
 *
 * The front process (what sudo started) relays status lines to stdout until green. The keeper,
 * daemonised, prepares the machine, starts the loader proper, undoes everything when the start
 * fails, restarts the loader after green and tears down when the worker has exited.
 * Settings come as one JSON line on stdin; its end before green undoes the start.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loader.h"

static struct session session = {
	.audit_fd = -1, .control_fd = -1, .canary_fd = -1, .status_fd = -1, .stdin_fd = -1};

void json_escape(char *out, size_t size, const char *in)
{
	size_t n = 0;

	for (; *in && n + 3 < size; in++) {
		if ((unsigned char)*in < 0x20)
			continue;
		if (*in == '"' || *in == '\\')
			out[n++] = '\\';
		out[n++] = *in;
	}
	out[n] = 0;
}

static void say(int fd, const char *code, const char *message, const char *remedy)
{
	char text[8192];

	json_escape(text, sizeof(text), message);
	dprintf(fd, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"remedy\":\"%s\"}}\n", code, text,
		remedy);
}

char *cgroup_mount(void)
{
	static char path[PATH_MAX];
	char line[8192], type[64];
	FILE *f = fopen("/proc/self/mounts", "re");

	path[0] = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %4095s %63s", path, type) == 2 && !strcmp(type, "cgroup2"))
			break;
		else
			path[0] = 0;
	if (f)
		fclose(f);
	return path;
}

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
		say(1, "refused", NEVER_ROOT " exists and this is the machine's first network namespace",
		    "start in a network namespace of its own, or remove the file if this machine may be "
		    "filtered");
		return EXIT_REFUSED;
	}
	if (stat(o->cgroup, &cgroup) || stat(cgroup_mount(), &root)) {
		say(1, "usage", "the cgroup does not exist", "name a directory of the cgroup2 hierarchy");
		return EXIT_USAGE;
	}
	if (cgroup.st_dev != root.st_dev) {
		say(1, "usage", "the cgroup is not in the cgroup2 hierarchy",
		    "name a directory below the cgroup2 mount");
		return EXIT_USAGE;
	}
	/* 1: the root of the hierarchy, whatever part of it is mounted first */
	if (cgroup.st_ino != root.st_ino && cgroup.st_ino != 1)
		return 0;
	if (never) {
		say(1, "refused", NEVER_ROOT " exists and the cgroup is the root",
		    "name a cgroup below the root");
		return EXIT_REFUSED;
	}
	if (!o->root) {
		say(1, "refused", "the cgroup is the root of the hierarchy",
		    "say --root if the whole machine is meant");
		return EXIT_REFUSED;
	}
	return 0;
}

/* main's settings: one JSON line. */
static int read_settings(void)
{
	size_t size = 0;
	char *p = malloc(SESSION_MAX + 1);

	while (p && size <= SESSION_MAX) {
		ssize_t n = read(0, p + size, SESSION_MAX + 1 - size);
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

/* Whether a process runs under a uid or the password file names it. */
static bool uid_is_used(uid_t uid)
{
	char line[1024], path[300], *field;
	FILE *f = fopen("/etc/passwd", "re");
	bool used = false;
	struct dirent *entry;
	struct stat st;
	DIR *proc;

	while (f && !used && fgets(line, sizeof(line), f)) {
		field = strchr(line, ':');
		field = field ? strchr(field + 1, ':') : NULL;
		used = field && strtoul(field + 1, NULL, 10) == uid;
	}
	if (f)
		fclose(f);
	proc = opendir("/proc");
	while (proc && !used && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s", entry->d_name);
		used = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && !stat(path, &st) &&
		       st.st_uid == uid;
	}
	if (proc)
		closedir(proc);
	return used;
}

/* A uid nobody has: 61184 to 65519, without a process. */
static uid_t unused_uid(void)
{
	uid_t uid = 0;

	for (int tries = 0; tries < 256; tries++) {
		unsigned int seed = 0;

		if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
			continue;
		uid = 61184 + seed % (65519 - 61184 + 1);
		if (!uid_is_used(uid))
			break;
	}
	return uid;
}

static int enter_own_cgroup(void)
{
	char procs[4200];
	int fd;

	if (mkdir(session.loader_cgroup, 0755) && errno != EEXIST)
		return -errno;
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", session.loader_cgroup);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return -errno;
	close(fd);
	return 0;
}

static int watch(bool green);

static pid_t start_loader(bool restarted)
{
	pid_t keeper_pid = getpid();
	pid_t pid = fork();
	int code;

	if (pid)
		return pid;
	/* before green all die together: nothing is pinned, so the kernel drops the links */
	if (!restarted && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != keeper_pid))
		_exit(EXIT_FAILED);
	code = serve(&session, restarted);
	if (code != SERVE_ALONE)
		_exit(code);
	/* the keeper is gone: this process is the keeper now, and starts a loader of its own */
	session.keeper_lost = true;
	_exit(watch(true));
}

/* Undoes a start, and says so once it has looked. */
static void undo_start(void)
{
	static const char undone[] = "{\"stage\":\"undone\"}\n";

	session_undo(&session);
	if (session_is_undone(&session))
		(void)!write(session.status_fd, undone, sizeof(undone) - 1);
}

/* After green nothing of main's stays open: a pipe of it would keep its step from ending. */
static void leave_main(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	session.green = true;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
	close(session.stdin_fd);
	close(session.status_fd);
	session.stdin_fd = session.status_fd = -1;
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
		session.worker_fd = (int)syscall(SYS_pidfd_open, session.options.worker, 0);
	p[0] = (struct pollfd){signalfd(-1, &set, SFD_CLOEXEC), POLLIN, 0};
	p[1] = (struct pollfd){session.worker_fd, POLLIN, 0};
	session.keeper_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (p[0].fd < 0 || session.keeper_fd < 0 || (p[1].fd < 0 && !session.options.keep)) {
		snprintf(message, sizeof(message), "the worker can not be watched: %s", strerror(errno));
		say(session.status_fd, "failed", message,
		    "pass the pid of the runner's worker, or raise the limit on open files");
		if (!green)
			undo_start();
		return EXIT_FAILED;
	}
	loader = start_loader(green);
	session.keeper_lost = false;
	for (;;) {
		if (poll(p, session.options.keep ? 1 : 2, -1) < 0)
			continue;
		if (p[1].revents && !session.options.keep)
			break; /* the worker is gone */
		if (!(p[0].revents & POLLIN) || read(p[0].fd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGUSR1 && (pid_t)info.ssi_pid == loader) {
			green = true;
			leave_main();
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
		session_undo(&session);
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

static int keeper(int lock)
{
	const char *why = "";
	char message[4300];
	int err;

	prctl(PR_SET_NAME, "cargowall");
	err = enter_own_cgroup();
	if (err)
		why = session.loader_cgroup;
	outlive_memory();
	if (!err)
		err = session_prepare(&session, &why);
	if (err) {
		snprintf(message, sizeof(message), "%s: %s", why, strerror(-err));
		say(session.status_fd, "start-failed", message,
		    "give the machine what the message names, or use another runner");
		undo_start();
		close(lock);
		return EXIT_FAILED;
	}
	return watch(false);
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
		say(1, "failed", "the loader or the daemon ended before the wall stood",
		    "run the step again, and report it if it happens again");
	return exit_code;
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
	if (parse(argc, argv, &session.options)) {
		say(1, "usage", "unknown or missing argument", "see the head of bpf/loader/main.c");
		return EXIT_USAGE;
	}
	refused = refuse_root(&session.options);
	if (refused)
		return refused;
	clearenv();
	lock = open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0) {
		snprintf(message, sizeof(message), LOCK_FILE ": %s", strerror(errno));
		say(1, "refused", message, "remove what stands in the lock file's place");
		return EXIT_REFUSED;
	}
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		say(1, "running", "another cargowall is running on this machine",
		    "use the action once in a job");
		return EXIT_RUNNING;
	}
	snprintf(session.loader_cgroup, sizeof(session.loader_cgroup), "%s/cargowall.loader",
		 session.options.cgroup);
	snprintf(session.daemon_cgroup, sizeof(session.daemon_cgroup), "%s/cargowall.daemon",
		 session.options.cgroup);
	session.daemon_uid = unused_uid();
	if (access(CONTROL_SOCKET, F_OK) == 0)
		session_undo(&session); /* remains of a start that ended without its keeper */
	if (read_settings()) {
		say(1, "usage", "no settings on stdin", "send the session as one JSON line");
		return EXIT_USAGE;
	}
	stdin_fd = fcntl(0, F_DUPFD_CLOEXEC, 16);
	if (stdin_fd < 0 || pipe2(status, O_CLOEXEC) || pipe2(code, O_CLOEXEC)) {
		snprintf(message, sizeof(message), "the loader's own descriptors: %s", strerror(errno));
		say(1, "failed", message, "raise the limit on open files");
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
	result = (unsigned char)keeper(lock);
	(void)!write(code[1], &result, 1);
	_exit(result);
}
