/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is behind the uplink of a guest: internet RESOLVER [NAME ADDRESS]... A resolver that knows these
 * names, a web server on every address, and a line for each question, each request and each address that
 * something was sent to for the first time.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEEN_MAX 256

static int names_count;
static char **names; /* name, address, name, address */

/* A question's name as text; where its type begins, or 0. */
static size_t question_name(const unsigned char *m, size_t size, char *out)
{
	size_t at = 12, n = 0;

	while (at < size && m[at]) {
		size_t length = m[at++];

		if (length > 63 || at + length > size || n + length + 2 > 256)
			return 0;
		memcpy(out + n, m + at, length);
		at += length;
		n += length;
		out[n++] = '.';
	}
	out[n ? n - 1 : 0] = 0;
	return at + 5 <= size ? at + 1 : 0;
}

static const char *address_of_name(const char *name)
{
	for (int i = 0; i + 1 < names_count; i += 2)
		if (!strcasecmp(names[i], name))
			return names[i + 1];
	return NULL;
}

static void answer(int fd)
{
	unsigned char m[1024];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(fd, m, sizeof(m) - 16, 0, (void *)&from, &size);
	char name[256];
	size_t at = n < 12 ? 0 : question_name(m, (size_t)n, name);
	const char *address;

	if (!at)
		return;
	printf("question %s\n", name);
	address = address_of_name(name);
	memset(m + 6, 0, 6);
	m[2] = 0x85; /* answer, authoritative, recursion desired */
	m[3] = (unsigned char)(address ? 0x80 : 0x83);
	n = (ssize_t)at + 4;
	if (address && m[at] == 0 && m[at + 1] == 1) {
		static const unsigned char head[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};

		memcpy(m + n, head, sizeof(head));
		inet_pton(AF_INET, address, m + n + sizeof(head));
		n += (ssize_t)sizeof(head) + 4;
		m[7] = 1;
	}
	sendto(fd, m, (size_t)n, 0, (void *)&from, size);
}

static void serve(int fd)
{
	static const char reply[] = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
	struct timeval limit = {.tv_sec = 10};
	struct sockaddr_storage own;
	socklen_t size = sizeof(own);
	char request[2048], text[INET6_ADDRSTRLEN] = "?";
	int client = accept(fd, NULL, NULL);
	ssize_t n;

	if (client < 0)
		return;
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	getsockname(client, (void *)&own, &size);
	if (own.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&own)->sin6_addr, text, sizeof(text));
	n = recv(client, request, sizeof(request), 0);
	printf("request at %s of %zd bytes\n", text, n);
	(void)!write(client, reply, sizeof(reply) - 1);
	close(client);
}

/* The destination of a frame, once. */
static void note(int fd)
{
	static char seen[SEEN_MAX][INET6_ADDRSTRLEN];
	static size_t count;
	unsigned char frame[2048];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(fd, frame, sizeof(frame), 0, (void *)&from, &size);
	char text[INET6_ADDRSTRLEN];

	if (n < 54 || from.sll_pkttype == PACKET_OUTGOING)
		return;
	if (from.sll_protocol == htons(ETH_P_IP))
		inet_ntop(AF_INET, frame + 30, text, sizeof(text));
	else if (from.sll_protocol == htons(ETH_P_IPV6))
		inet_ntop(AF_INET6, frame + 38, text, sizeof(text));
	else
		return;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(seen[i], text))
			return;
	if (count < SEEN_MAX)
		strcpy(seen[count++], text);
	printf("packet to %s\n", text);
}

static int open_at(const char *address, int type, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v4 = address && inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);

	if (bind(fd, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)) ||
	    (type == SOCK_STREAM && listen(fd, 16))) {
		perror("internet");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_ALL),
				.sll_ifindex = (int)if_nametoindex("veth0")};
	struct pollfd p[3];
	void (*const each[])(int) = {answer, serve, note};

	if (argc < 2)
		return 2;
	names = argv + 2;
	names_count = argc - 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	p[0] = (struct pollfd){open_at(argv[1], SOCK_DGRAM, 53), POLLIN, 0};
	p[1] = (struct pollfd){open_at(NULL, SOCK_STREAM, 80), POLLIN, 0};
	p[2] = (struct pollfd){socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)), POLLIN, 0};
	if (bind(p[2].fd, (void *)&a, sizeof(a)))
		return 1;
	puts("ready");
	while (poll(p, 3, -1) > 0)
		for (int i = 0; i < 3; i++)
			if (p[i].revents)
				each[i](p[i].fd);
	return 1;
}
