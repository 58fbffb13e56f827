/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic control by rtnetlink: requests, and lists of what there is. */
#ifndef CARGOWALL_TC_H
#define CARGOWALL_TC_H

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

struct tc_request {
	struct nlmsghdr h;
	struct tcmsg t;
	char attributes[192];
};

struct tc_request tc_request(uint16_t type, uint16_t flags, unsigned int ifindex, uint32_t parent);
struct rtattr *tc_put(struct tc_request *r, uint16_t type, const void *value, size_t size);

/* Sends a request that changes something: 0 or the kernel's -errno. */
int tc_change(struct tc_request *r);

/* Visits each message of a list, which may be of all interfaces; -errno when it can't be had. */
typedef void (*tc_each)(const struct nlmsghdr *h, void *arg);
int tc_dump(uint16_t type, unsigned int ifindex, uint32_t parent, tc_each each, void *arg);

#endif /* CARGOWALL_TC_H */
