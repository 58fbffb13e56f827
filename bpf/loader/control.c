/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting, reading and answering the clients of the control socket; bounded. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"

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

void control_accept(int listener, uid_t uid)
{
	int oldest = 0;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || (peer.uid != 0 && peer.uid != uid)) {
		static const char no[] =
			"{\"error\":\"only root and the user that started cargowall may ask\"}\n";

		(void)!send(fd, no, sizeof(no) - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (clients[i].fd >= 0)
			continue;
		take_client(i, fd, &peer);
		return;
	}
	/* full of silent ones: the oldest makes room */
	for (int i = 1; i < CONTROL_CLIENTS_MAX; i++)
		if (clients[i].since < clients[oldest].since)
			oldest = i;
	close(clients[oldest].fd);
	take_client(oldest, fd, &peer);
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
