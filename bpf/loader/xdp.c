/* SPDX-License-Identifier: Apache-2.0 */
/* XDP programs, by what rtnetlink says of each interface. */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "findings.h"
#include "rtnetlink.h"
#include "xdp.h"

#define OWN_MAX 256

/* An interface that had programs at the first look; `programs`: the sum of their numbers. */
struct own {
	int ifindex;
	uint32_t programs;
};

static struct own own[OWN_MAX];
static size_t own_count;
static bool is_first;

/* One for each of the places a program can have: in the driver, in its stead, on the card; 0: none. */
static uint32_t programs_of(const struct rtattr *xdp)
{
	int left = (int)RTA_PAYLOAD(xdp);
	uint32_t sum = 0, id;

	for (const struct rtattr *a = RTA_DATA(xdp); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type != IFLA_XDP_DRV_PROG_ID && a->rta_type != IFLA_XDP_SKB_PROG_ID &&
		    a->rta_type != IFLA_XDP_HW_PROG_ID)
			continue;
		memcpy(&id, RTA_DATA(a), sizeof(id));
		sum += id;
	}
	return sum;
}

static bool is_own(int ifindex, uint32_t programs)
{
	for (size_t i = 0; i < own_count; i++)
		if (own[i].ifindex == ifindex)
			return own[i].programs == programs;
	return false;
}

static void on_link(const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	int left = (int)IFLA_PAYLOAD(h);
	const char *name = "";
	uint32_t programs = 0;
	char finding[128];

	for (struct rtattr *a = IFLA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			name = RTA_DATA(a);
		if ((a->rta_type & NLA_TYPE_MASK) == IFLA_XDP)
			programs = programs_of(a);
	}
	if (!programs || is_own(m->ifi_index, programs))
		return;
	if (is_first && own_count < OWN_MAX) {
		own[own_count++] = (struct own){.ifindex = m->ifi_index, .programs = programs};
		return;
	}
	snprintf(finding, sizeof(finding), "an XDP program of somebody else stands on the interface %s",
		 name);
	check_find(finding);
}

void check_xdp(void)
{
	static bool looked;

	is_first = !looked;
	looked = !rtnetlink_dump(RTM_GETLINK, on_link) || looked;
}
