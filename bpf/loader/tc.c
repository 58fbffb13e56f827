/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic control by rtnetlink: requests, and lists of what there is. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tc.h"

struct tc_request tc_request(uint16_t type, uint16_t flags, unsigned int ifindex, uint32_t parent)
{
	struct tc_request r = {
		.h = {NLMSG_LENGTH(sizeof(struct tcmsg)), type, (uint16_t)(NLM_F_REQUEST | flags), 1, 0},
		.t = {.tcm_ifindex = (int)ifindex, .tcm_parent = parent}};

	return r;
}

struct rtattr *tc_put(struct tc_request *r, uint16_t type, const void *value, size_t size)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(a), value, size);
	r->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

int tc_change(struct tc_request *r)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512];
	} reply;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err;
	ssize_t n = -1;

	r->h.nlmsg_flags |= NLM_F_ACK;
	if (fd >= 0 && send(fd, r, r->h.nlmsg_len, 0) >= 0)
		n = recv(fd, &reply, sizeof(reply), 0);
	err = n < 0 ? -errno : -EPROTO;
	if (n >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) && reply.h.nlmsg_type == NLMSG_ERROR)
		err = reply.e.error;
	if (fd >= 0)
		close(fd);
	return err;
}

int tc_dump(uint16_t type, unsigned int ifindex, uint32_t parent, tc_each each, void *arg)
{
	struct tc_request r = tc_request(type, NLM_F_DUMP, ifindex, parent);
	static char reply[32768];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = 0;
	bool done = false;

	if (fd < 0 || send(fd, &r, r.h.nlmsg_len, 0) < 0)
		err = -errno;
	while (!done && !err) {
		int left = (int)recv(fd, reply, sizeof(reply), 0);

		if (left <= 0)
			err = left ? -errno : -EPROTO;
		for (struct nlmsghdr *h = (void *)reply; !done && NLMSG_OK(h, (unsigned int)left);
		     h = NLMSG_NEXT(h, left)) {
			done = h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			if (!done)
				each(h, arg);
		}
	}
	if (fd >= 0)
		close(fd);
	return err;
}
