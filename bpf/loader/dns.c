/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams of the proxy's sockets: taken with the sender's entry of the owner map, handed to the
 * daemon in batches, answered from the socket they came on. What is in them is the daemon's affair.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "dns.h"

static void from_sockaddr(struct address *a, uint16_t *port, const struct sockaddr_storage *from)
{
	memset(a, 0, sizeof(*a));
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;

		a->b[10] = a->b[11] = 0xff;
		memcpy(a->b + 12, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
	} else {
		const struct sockaddr_in6 *v6 = (const void *)from;

		memcpy(a->b, &v6->sin6_addr, 16);
		*port = ntohs(v6->sin6_port);
	}
}

static size_t put(unsigned char *out, size_t index, const struct sockaddr_storage *from,
		  const unsigned char *message, size_t size)
{
	struct datagram_head h = {.size = (uint16_t)size, .socket = (unsigned char)index};
	struct owner_key k = {.proto = IPPROTO_UDP};

	from_sockaddr(&h.peer, &h.port, from);
	k.src = h.peer;
	k.port = h.port;
	h.found = !bpf_map_lookup_elem(map_fds[M_OWNERS], &k, &h.owner);
	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), message, size);
	return sizeof(h) + size;
}

size_t dns_take(const struct session *s, size_t index, unsigned char *out)
{
	static unsigned char message[DATAGRAM_BATCH][DATAGRAM_MAX];
	struct sockaddr_storage from[DATAGRAM_BATCH];
	struct iovec part[DATAGRAM_BATCH];
	struct mmsghdr all[DATAGRAM_BATCH];
	size_t size = 0;
	int count;

	memset(all, 0, sizeof(all));
	for (int i = 0; i < DATAGRAM_BATCH; i++) {
		part[i] = (struct iovec){message[i], DATAGRAM_MAX};
		all[i].msg_hdr.msg_iov = &part[i];
		all[i].msg_hdr.msg_iovlen = 1;
		all[i].msg_hdr.msg_name = &from[i];
		all[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	count = recvmmsg(s->sockets[index].fd, all, DATAGRAM_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++)
		size += put(out + size, index, &from[i], message[i], all[i].msg_len);
	return size;
}

static void answer(const struct session *s, const struct answer_head *h, const unsigned char *message)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(h->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(h->port)};
	bool is_v4 = s->sockets[h->socket].address[0] && !strchr(s->sockets[h->socket].address, ':');

	memcpy(&v4.sin_addr, h->peer.b + 12, 4);
	memcpy(&v6.sin6_addr, h->peer.b, 16);
	/* a client that has gone away is no fault of ours */
	if (is_v4)
		sendto(s->sockets[h->socket].fd, message, h->size, MSG_DONTWAIT, (void *)&v4, sizeof(v4));
	else
		sendto(s->sockets[h->socket].fd, message, h->size, MSG_DONTWAIT, (void *)&v6, sizeof(v6));
}

int dns_answer(const struct session *s, const unsigned char *p, size_t size)
{
	struct answer_head h;
	size_t at = 0;

	while (at < size) {
		if (size - at < sizeof(h))
			return -EINVAL;
		memcpy(&h, p + at, sizeof(h));
		at += sizeof(h);
		if (h.size > size - at || h.socket >= s->socket_count || s->sockets[h.socket].tcp)
			return -EINVAL;
		answer(s, &h, p + at);
		at += h.size;
	}
	return 0;
}
