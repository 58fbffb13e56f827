/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting, reading and answering the clients of the control socket; bounded. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "processes.h"

#define ACCEPTED_AT_ONCE 64

static struct {
	int fd;
	uint32_t uid, pid;
	char line[4096];
	size_t size;
	uint64_t since;
} clients[CONTROL_CLIENTS_MAX];

void control_open(void)
{
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		clients[i].fd = -1;
}

void control_close(void)
{
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (clients[i].fd >= 0)
			close(clients[i].fd);
}

void control_reply(const unsigned char *p, size_t size)
{
	uint32_t id;

	if (size < 4)
		return;
	memcpy(&id, p, 4);
	if (id < 1 || id > CONTROL_CLIENTS_MAX || clients[id - 1].fd < 0)
		return;
	if (send(clients[id - 1].fd, p + 4, size - 4, MSG_NOSIGNAL) < 0 ||
	    send(clients[id - 1].fd, "\n", 1, MSG_NOSIGNAL) < 0)
		return;
}

static void take_client(int i, int fd, const struct ucred *peer)
{
	static uint64_t clock;

	clients[i].fd = fd;
	clients[i].uid = peer->uid;
	clients[i].pid = (uint32_t)peer->pid;
	clients[i].size = 0;
	clients[i].since = ++clock;
}

/* A free place of those from `first` on, or that of the oldest, which makes room: it may be a silent one. */
static int place(int first, int count)
{
	int oldest = first;

	for (int i = first; i < first + count; i++) {
		if (clients[i].fd < 0)
			return i;
		if (clients[i].since < clients[oldest].since)
			oldest = i;
	}
	close(clients[oldest].fd);
	return oldest;
}

static int place_for(const struct ucred *peer, pid_t worker)
{
	if (process_parent(peer->pid) == worker)
		return place(PLACES_OF_USER, PLACES_OF_WORKER);
	if (!peer->uid)
		return place(PLACES_OF_USER + PLACES_OF_WORKER, PLACES_OF_ROOT);
	return place(0, PLACES_OF_USER);
}

static void accept_one(int fd, uid_t uid, pid_t worker)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || (peer.uid != 0 && peer.uid != uid)) {
		static const char no[] =
			"{\"error\":\"only root and the user that started cargowall may ask\"}\n";

		(void)!send(fd, no, sizeof(no) - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	take_client(place_for(&peer, worker), fd, &peer);
}

void control_accept(int listener, uid_t uid, pid_t worker)
{
	/* many at once: who floods must not keep others from connecting */
	for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		accept_one(fd, uid, worker);
	}
}

static void read_client(int i, control_line heard)
{
	ssize_t n = recv(clients[i].fd, clients[i].line + clients[i].size,
			 sizeof(clients[i].line) - clients[i].size, 0);
	char *end;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			close(clients[i].fd);
			clients[i].fd = -1;
		}
		return;
	}
	clients[i].size += (size_t)n;
	end = memchr(clients[i].line, '\n', clients[i].size);
	if (end) {
		heard((uint32_t)i + 1, clients[i].uid, clients[i].pid, clients[i].line,
		      (size_t)(end - clients[i].line));
		clients[i].size = 0;
	} else if (clients[i].size == sizeof(clients[i].line)) {
		close(clients[i].fd);
		clients[i].fd = -1;
	}
}

void control_wait(struct pollfd *p)
{
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		p[i] = (struct pollfd){clients[i].fd, POLLIN, 0};
}

void control_heard(const struct pollfd *p, control_line heard)
{
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (clients[i].fd >= 0 && p[i].revents)
			read_client(i, heard);
}
