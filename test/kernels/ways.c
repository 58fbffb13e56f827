/* SPDX-License-Identifier: Apache-2.0 */
/* Ways of sending a text: 0 or -errno. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

socklen_t address_of(struct sockaddr_storage *out, const char *text, uint16_t port)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, text, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static int open_by(int protocol, const char *to)
{
	struct timeval limit = {.tv_sec = 3};
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, 443);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol), err;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (void *)&a, size))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int tcp_open(const char *to)
{
	return open_by(0, to);
}

int multipath_open(const char *to)
{
	return open_by(IPPROTO_MPTCP, to);
}

int stream(const char *to, const char *text)
{
	int fd = tcp_open(to), err = 0;

	if (fd < 0)
		return fd;
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		err = -errno;
	close(fd);
	return err;
}

int fast_open(const char *to, const char *text)
{
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, 443);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

	if (sendto(fd, text, strlen(text), MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&a, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

int datagram(const char *to, const char *text)
{
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, 9);
	int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (sendto(fd, text, strlen(text), 0, (void *)&a, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

static uint16_t checksum(const void *p, size_t size)
{
	const unsigned char *b = p;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* ICMP echo by a raw socket. */
int raw_icmp(const char *to, const char *text)
{
	unsigned char packet[256] = {8, 0, 0, 0, 0, 1, 0, 1};
	size_t length = 8 + strlen(text);
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, to, 0);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP), err = 0;
	uint16_t sum;

	memcpy(packet + 8, text, strlen(text));
	sum = checksum(packet, length);
	memcpy(packet + 2, &sum, sizeof(sum));
	if (sendto(fd, packet, length, 0, (void *)&a, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* An IPv4 packet with a UDP datagram to port 9, of a flow of its own. */
size_t packet_to(unsigned char *out, const char *to, const char *text)
{
	static uint16_t port = 20000;
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
	struct udphdr udp = {.source = htons(port++), .dest = htons(9)};
	size_t size = sizeof(ip) + sizeof(udp) + strlen(text);

	ip.tot_len = htons((uint16_t)size);
	ip.saddr = inet_addr("192.0.2.2");
	ip.daddr = inet_addr(to);
	ip.check = checksum(&ip, sizeof(ip));
	udp.len = htons((uint16_t)(size - sizeof(ip)));
	memcpy(out, &ip, sizeof(ip));
	memcpy(out + sizeof(ip), &udp, sizeof(udp));
	memcpy(out + sizeof(ip) + sizeof(udp), text, strlen(text));
	return size;
}

/* A header of its own: the call is told another address than the header has. */
int own_header(const char *to, const char *text)
{
	unsigned char packet[256];
	size_t length = packet_to(packet, to, text);
	struct sockaddr_storage a;
	socklen_t size = address_of(&a, ALLOWED4, 0);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), err = 0;

	if (sendto(fd, packet, length, 0, (void *)&a, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* By the packet layer: no hook of the cgroup sees it. */
int frame_on(const char *device, const char *to, const char *text)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_IP),
				.sll_ifindex = (int)if_nametoindex(device),
				.sll_halen = ETH_ALEN};
	struct sockaddr_ll own;
	socklen_t size = sizeof(own);
	unsigned char frame[256] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 2, 2, 2, 2, 2, 8, 0};
	size_t length = ETH_HLEN + packet_to(frame + ETH_HLEN, to, text), skip = 0;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), err = 0;

	if (bind(fd, (void *)&a, sizeof(a)) || getsockname(fd, (void *)&own, &size)) {
		err = -errno;
	} else {
		if (own.sll_hatype != ARPHRD_ETHER)
			skip = ETH_HLEN;
		else
			memcpy(frame + ETH_ALEN, own.sll_addr, ETH_ALEN);
		if (send(fd, frame + skip, length - skip, 0) < 0)
			err = -errno;
	}
	close(fd);
	return err;
}

int whole_frame(const char *to, const char *text)
{
	return frame_on("up0", to, text);
}
