/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind the uplink, as a suite plays it: servers, and a sniffer of all that comes. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static int sniffer;
static int servers[4];
static size_t server_count;

/* Enters a process's network namespace. */
void enter(const char *pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		exit(1);
	close(fd);
}

bool sees_bytes(const void *bytes, size_t length, const char *last)
{
	static unsigned char frame[1 << 16];
	time_t since = time(NULL);

	while (!is_over(since)) {
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);
		struct pollfd wait = {sniffer, POLLIN, 0};
		ssize_t n;

		if (poll(&wait, 1, 1000) < 1)
			continue;
		n = recvfrom(sniffer, frame, sizeof(frame), 0, (void *)&from, &size);
		if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (memmem(frame, (size_t)n, bytes, length))
			return true;
		if (last && memmem(frame, (size_t)n, last, strlen(last)))
			return false;
	}
	return last ? !fails("the barrier was not seen") : false;
}

bool sees(const char *text, const char *last)
{
	return sees_bytes(text, strlen(text), last);
}

/* Whether bytes have left: a datagram that passes is sent behind them, and seen. */
static bool bytes_have_left(const void *bytes, size_t length)
{
	static unsigned int count;
	char barrier[32];

	snprintf(barrier, sizeof(barrier), "barrier-%u!", count++);
	return datagram(ALLOWED4, barrier) || sees_bytes(bytes, length, barrier);
}

bool has_left(const char *text)
{
	return bytes_have_left(text, strlen(text));
}

/* The machine's address and another, as packets from it to there have them; their size. */
static size_t addresses(unsigned char *out, const char *to)
{
	if (inet_pton(AF_INET, to, out + 4) == 1)
		return inet_pton(AF_INET, "192.0.2.2", out) == 1 ? 8 : 0;
	inet_pton(AF_INET6, to, out + 16);
	return inet_pton(AF_INET6, "2001:db8::2", out) == 1 ? 32 : 0;
}

bool has_left_for(const char *to)
{
	unsigned char bytes[32];

	return bytes_have_left(bytes, addresses(bytes, to));
}

bool comes_for(const char *to)
{
	unsigned char bytes[32];

	return sees_bytes(bytes, addresses(bytes, to), NULL);
}

static void listen_at(const char *address)
{
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, address, 443);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_MPTCP); /* and TCP */

	if (bind(fd, (void *)&a, size) || listen(fd, 64))
		exit(1);
	servers[server_count++] = fd;
}

bool far_answers(void)
{
	struct pollfd wait = {servers[0], POLLIN, 0};
	bool answered = false;
	int fd;

	poll(&wait, 1, PATIENCE_S * 1000);
	while ((fd = accept4(servers[0], NULL, NULL, SOCK_CLOEXEC)) >= 0) /* each stays open */
		answered = send(fd, "hello", 5, MSG_NOSIGNAL) > 0;
	return answered;
}

/* Servers that take connections, and a sniffer on every device there is. */
void open_internet(const char *internet)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	enter(internet);
	listen_at(ALLOWED4);
	listen_at(REFUSED4);
	listen_at(ALLOWED6);
	listen_at(REFUSED6);
	sniffer = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (bind(sniffer, (void *)&a, sizeof(a)))
		exit(1);
	enter("1");
}
