/* SPDX-License-Identifier: Apache-2.0 */
/* Ends open flows with an error on both sides (SOCK_DESTROY, sock_diag(7)). */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "close.h"
#include "netns.h"

#ifndef SOCK_DESTROY
#define SOCK_DESTROY 21
#endif

struct closing {
	const struct open_flow_key *flows;
	int32_t *status;
	size_t count;
};

static int destroy(int fd, const struct flow_key *k)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} q = {0};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[256];
	} reply;
	bool v4 = address_is_v4(&k->dst);
	ssize_t n;

	q.h.nlmsg_len = sizeof(q);
	q.h.nlmsg_type = SOCK_DESTROY;
	q.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	q.r.sdiag_family = v4 ? AF_INET : AF_INET6;
	q.r.sdiag_protocol = k->proto;
	q.r.idiag_states = ~0U;
	q.r.id.idiag_sport = htons(k->sport);
	q.r.id.idiag_dport = htons(k->dport);
	memcpy(q.r.id.idiag_src, k->src.b + (v4 ? 12 : 0), v4 ? 4 : 16);
	memcpy(q.r.id.idiag_dst, k->dst.b + (v4 ? 12 : 0), v4 ? 4 : 16);
	q.r.id.idiag_cookie[0] = q.r.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	if (send(fd, &q, sizeof(q), 0) < 0)
		return -errno;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < (ssize_t)(sizeof(reply.h) + sizeof(reply.e)))
		return n < 0 ? -errno : -EPROTO;
	return reply.h.nlmsg_type == NLMSG_ERROR ? reply.e.error : -EPROTO;
}

static void close_here(uint64_t inode, bool other, void *arg)
{
	struct closing *c = arg;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	(void)other;
	for (size_t i = 0; i < c->count; i++)
		if (c->flows[i].netns == inode)
			c->status[i] = fd < 0 ? -errno : destroy(fd, &c->flows[i].flow);
	if (fd >= 0)
		close(fd);
}

int flows_close(const struct open_flow_key *flows, size_t count, int32_t *status)
{
	struct closing c = {flows, status, count};

	for (size_t i = 0; i < count; i++)
		status[i] = -ENOENT;
	return netns_each(close_here, &c);
}
