/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to a socket that equals root, made before it was closed. The mode of a socket binds
 * connect() alone; so the service's own end of each connection is taken (pidfd_getfd) and shut down,
 * wherever the client's end is: in another process, another namespace, on its way in a message.
 */
#include "root_clients.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define ROUNDS 50

/* What one look at the machine's services has found. */
struct look {
	const struct stat *wanted; /* the socket's file */
	bool has_listener;
	int ended;
};

/* A name as a process sees it, links included; where it sees none, as we do. */
static int stat_seen_by(int pid, const char *name, struct stat *st)
{
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	char path[64];
	int root, fd, err;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	err = fd < 0 ? lstat(name, st) : fstat(fd, st);
	if (fd >= 0)
		close(fd);
	if (root >= 0)
		close(root);
	return err;
}

/* Whether a process's socket is bound, or was accepted from one that is bound, to the wanted file. */
static bool is_bound_there(int pid, int fd, const struct stat *wanted)
{
	struct sockaddr_un a = {};
	socklen_t size = sizeof(a) - 1;
	struct stat st;

	return !getsockname(fd, (void *)&a, &size) && a.sun_family == AF_UNIX && a.sun_path[0] == '/' &&
	       !stat_seen_by(pid, a.sun_path, &st) && st.st_dev == wanted->st_dev &&
	       st.st_ino == wanted->st_ino;
}

/* Who connected, as the kernel noted it then; unknown is not root (fails closed). */
static bool is_roots(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && !peer.uid;
}

/*
 * Connections nobody has accepted yet, as before a service that starts on demand. A listener that
 * would block is left alone: its service accepts, and the next look sees.
 */
static int end_waiting(int listener)
{
	int ended = 0, flags = fcntl(listener, F_GETFL);

	while (flags >= 0 && flags & O_NONBLOCK) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			break;
		close(fd);
		ended++;
	}
	return ended;
}

/* Ends one accepted connection, requests in it that its service has not read yet included. */
static int end_open(int fd)
{
	struct pollfd p = {.fd = fd};
	char unread[4096];

	if (poll(&p, 1, 0) == 1 && p.revents & POLLHUP)
		return 0; /* ended before; its service has not closed it yet */
	if (shutdown(fd, SHUT_RDWR))
		return 0;
	while (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
		;
	return 1;
}

static void look_at_socket(int pid, int fd, struct look *l)
{
	int listens = 0;
	socklen_t size = sizeof(listens);

	if (!is_bound_there(pid, fd, l->wanted))
		return;
	if (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) && listens) {
		l->has_listener = true;
		l->ended += end_waiting(fd);
	} else if (!is_roots(fd)) {
		l->ended += end_open(fd);
	}
}

/* Every socket of one process; one that ends meanwhile, or that we may not look into, has none. */
static void look_at_process(int pid, struct look *l)
{
	char path[64], target[64];
	struct dirent *entry;
	int pidfd, folder;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return;
	folder = dirfd(d);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	while (pidfd >= 0 && (entry = readdir(d))) {
		ssize_t n = readlinkat(folder, entry->d_name, target, sizeof(target) - 1);
		int fd;

		if (n < 7 || memcmp(target, "socket:", 7))
			continue;
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
		if (fd >= 0) {
			look_at_socket(pid, fd, l);
			close(fd);
		}
	}
	if (pidfd >= 0)
		close(pidfd);
	closedir(d);
}

/* The services of such sockets are root's: nobody else's processes are looked into. */
static void look_at_services(struct look *l)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct stat st;

	while (proc && (entry = readdir(proc))) {
		int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (pid > 0 && pid != getpid() && !fstatat(dirfd(proc), entry->d_name, &st, 0) && !st.st_uid)
			look_at_process(pid, l);
	}
	if (proc)
		closedir(proc);
}

/* Whether a socket's file is one its service has left behind: nobody listens. */
static bool is_dead(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool dead;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	dead = fd >= 0 && connect(fd, (void *)&a, sizeof(a)) && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return dead;
}

int root_clients_end(const char *path)
{
	struct stat wanted;

	if (lstat(path, &wanted))
		return errno == ENOENT ? 0 : -errno;
	/* what was accepted during one look is seen by the next: it is done when a look ends nothing */
	for (int round = 0; round < ROUNDS; round++) {
		struct look l = {.wanted = &wanted};

		look_at_services(&l);
		if (!l.has_listener) /* its connections can't be seen either (fails closed) */
			return is_dead(path) ? 0 : -EACCES;
		if (!l.ended && round)
			return 0;
	}
	return -EBUSY;
}
