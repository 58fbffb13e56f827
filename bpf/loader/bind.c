/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets a session listens on: bound by root, before the daemon that reads them exists. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "address.h"
#include "bind.h"
#include "network.h"
#include "paths.h"

#define ROOM (1 << 20) /* bytes; the kernel doubles it: some 2,700 questions while the daemon is busy */

/* What a socket of the proxy's is for. */
enum purpose {
	FOR_EVERYBODY, /* over UDP, */
	FOR_RUNNER, /* behind it, */
	FOR_STREAMS,
};

static int bind_one(struct session *s, const struct address *a, enum purpose purpose, uint16_t port)
{
	struct proxy_socket *p = &s->sockets[s->socket_count];
	bool v4 = address_is_v4(a);
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool tcp = purpose == FOR_STREAMS;
	int one = 1, room = ROOM, fd;

	if (s->socket_count == SOCKETS_MAX)
		return -ENOSPC;
	memcpy(&a4.sin_addr, a->b + 12, 4);
	memcpy(&a6.sin6_addr, a->b, 16);
	fd = socket(v4 ? AF_INET : AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0)
		return -errno;
	if (!v4)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (!tcp) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	}
	if (bind(fd, v4 ? (void *)&a4 : (void *)&a6, v4 ? sizeof(a4) : sizeof(a6)) ||
	    (tcp && listen(fd, 128))) {
		int err = -errno;

		close(fd);
		return err;
	}
	p->fd = fd;
	p->tcp = tcp;
	p->runner = purpose == FOR_RUNNER;
	p->bound = *a;
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b, p->address, sizeof(p->address));
	s->socket_count++;
	return 0;
}

/* The stream first: it alone tells that somebody else has the port. */
static int bind_address(struct session *s, const struct address *a, uint16_t port)
{
	int err = bind_one(s, a, FOR_STREAMS, port);

	for (int purpose = 0; purpose < FOR_STREAMS && !err; purpose++)
		err = bind_one(s, a, purpose, port);
	return err;
}

static int bind_everywhere(struct session *s, uint16_t port)
{
	size_t count;
	const struct own_address *own = network_own(&count);
	struct address loop4 = {}, loop6 = {};
	int err = 0;

	loop4.b[10] = loop4.b[11] = 0xff;
	loop4.b[12] = 127;
	loop4.b[15] = 1;
	loop6.b[15] = 1;
	err = bind_address(s, &loop4, port);
	if (!err) {
		err = bind_address(s, &loop6, port);
		if (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT)
			err = 0; /* a machine without IPv6 */
	}
	for (size_t i = 0; i < count && !err; i++) {
		const struct own_address *o = &own[i];

		if (!o->uplink || (o->addr.b[0] == 0xfe && (o->addr.b[1] & 0xc0) == 0x80))
			continue;
		if (address_is_v4(&o->addr))
			s->far4 = o->addr;
		else
			s->far6 = o->addr;
		err = bind_address(s, &o->addr, port);
	}
	return err;
}

/* One port for every address, UDP and TCP: taken from below the ephemeral range. */
static int bind_proxy(struct session *s)
{
	int err = -EADDRINUSE;

	for (uint16_t port = 15353; port < 15853 && err == -EADDRINUSE; port++) {
		while (s->socket_count)
			close(s->sockets[--s->socket_count].fd);
		err = bind_everywhere(s, port);
		s->proxy_port = port;
	}
	return err;
}

static int bind_canary(struct session *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);

	s->canary_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->canary_fd < 0 || bind(s->canary_fd, (void *)&a, sizeof(a)) || listen(s->canary_fd, 8) ||
	    getsockname(s->canary_fd, (void *)&a, &size))
		return -errno;
	s->canary_port = ntohs(a.sin_port);
	return 0;
}

static int open_control(struct session *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET};

	s->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->control_fd < 0 || bind(s->control_fd, (void *)&a, sizeof(a)) || chmod(CONTROL_SOCKET, 0666) ||
	    listen(s->control_fd, 128))
		return -errno;
	return 0;
}

int bind_all(struct session *s, const char **why)
{
	int err;

	*why = "the proxy's sockets";
	err = bind_proxy(s);
	if (!err) {
		*why = "the canary's socket";
		err = bind_canary(s);
	}
	if (!err) {
		*why = CONTROL_SOCKET;
		err = open_control(s);
	}
	return err;
}

void bind_close(const struct session *s)
{
	for (size_t i = 0; i < s->socket_count; i++)
		close(s->sockets[i].fd);
	if (s->canary_fd >= 0)
		close(s->canary_fd);
	if (s->control_fd >= 0)
		close(s->control_fd);
}
