/* SPDX-License-Identifier: Apache-2.0 */
/* A dump of the kernel's links, addresses, routes or next hops (rtnetlink(7)). */
#include <errno.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rtnetlink.h"

int rtnetlink_dump(int type, void (*each)(const struct nlmsghdr *h))
{
	/* next hops alone want their whole header */
	size_t header = type == RTM_GETNEXTHOP ? sizeof(struct nhmsg) : sizeof(struct rtgenmsg);
	struct {
		struct nlmsghdr h;
		struct nhmsg m;
	} request = {.h = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(header),
			   .nlmsg_type = (uint16_t)type,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	static char buffer[1 << 16];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	bool done = false, torn = false;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (send(fd, &request, request.h.nlmsg_len, 0) < 0)
		err = -errno;
	while (!done && !err) {
		int n = (int)recv(fd, buffer, sizeof(buffer), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n ? -errno : -EPROTO;
			break;
		}
		for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned int)n);
		     h = NLMSG_NEXT(h, n)) {
			torn |= !!(h->nlmsg_flags & NLM_F_DUMP_INTR);
			done = h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			if (h->nlmsg_type == NLMSG_DONE && h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)))
				memcpy(&err, NLMSG_DATA(h), sizeof(err));
			if (h->nlmsg_type == NLMSG_ERROR)
				err = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (done)
				break;
			each(h);
		}
	}
	close(fd);
	return err ? err : torn ? -EAGAIN : 0;
}
