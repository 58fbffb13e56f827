/* SPDX-License-Identifier: Apache-2.0 */
/* Word of changes to interfaces, addresses and routes; the end of an interface reaches its wall. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "findings.h"
#include "links.h"
#include "watch.h"

#define HEARD_MAX 1024 /* messages of a turn */

int network_watch(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK,
				.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
					     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int next_hops = RTNLGRP_NEXTHOP;

	if (fd >= 0)
		(void)setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &next_hops, sizeof(next_hops));
	if (fd >= 0 && bind(fd, (void *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * An interface that is moved to another network namespace keeps a TCX wall, which goes on judging what leaves
 * by it; a clsact filter ends. Nobody but root moves an uplink.
 */
static void moved(unsigned int ifindex, const char *name)
{
	char finding[160];

	snprintf(finding, sizeof(finding),
		 "somebody has moved the uplink %.32s to another network namespace; its wall %s", name,
		 link_of(ifindex)->kind == LINK_TCX ? "has gone along" : "has ended");
	check_happened(finding);
}

/* A bridge tells the end of a port with the same type: only AF_UNSPEC is the interface's own. */
static void hear(const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	int left = (int)IFLA_PAYLOAD(h);
	const char *name = "";
	bool is_moved = false;

	if (h->nlmsg_type != RTM_DELLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) ||
	    m->ifi_family != AF_UNSPEC || !link_of((unsigned int)m->ifi_index))
		return;
	for (const struct rtattr *a = IFLA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			name = RTA_DATA(a);
		is_moved |= a->rta_type == IFLA_NEW_NETNSID;
	}
	if (is_moved)
		moved((unsigned int)m->ifi_index, name);
	link_gone((unsigned int)m->ifi_index);
}

void network_heard(int watch)
{
	static char buffer[1 << 16];
	struct iovec part = {buffer, sizeof(buffer)};
	struct sockaddr_nl from;

	/* bounded: who sends without end must not hold us here */
	for (int i = 0; i < HEARD_MAX; i++) {
		struct msghdr message = {
			.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1};
		int left = (int)recvmsg(watch, &message, 0);

		if (left < 0 && errno == EINTR)
			continue;
		if (left < 0 && errno != ENOBUFS)
			return;
		if (left < 0 || message.msg_flags & MSG_TRUNC) {
			links_missed();
			continue;
		}
		if (from.nl_pid)
			continue; /* only the kernel's word counts: any root may send to this group */
		for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned int)left);
		     h = NLMSG_NEXT(h, left))
			hear(h);
	}
}
