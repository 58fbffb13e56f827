/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XDP programs of the machine's interfaces, whichever: they meet a frame before the kernel, and what they send
 * on by an uplink meets no wall. Those of the first look are the machine's own.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "findings.h"
#include "rtnetlink.h"
#include "xdp.h"

#define KNOWN_MAX 256

static struct {
	int ifindex;
	uint32_t program;
} known[KNOWN_MAX];
static size_t known_count;
static bool has_looked;

static bool is_known(int ifindex, uint32_t program)
{
	for (size_t i = 0; i < known_count; i++)
		if (known[i].ifindex == ifindex && known[i].program == program)
			return true;
	return false;
}

static void found(int ifindex, const char *name, uint32_t program)
{
	char finding[128];

	if (is_known(ifindex, program))
		return;
	if (!has_looked && known_count < KNOWN_MAX) {
		known[known_count].ifindex = ifindex;
		known[known_count++].program = program;
		return;
	}
	snprintf(finding, sizeof(finding), "an XDP program of somebody else stands on %.32s", name);
	check_find(finding);
}

/* One program has IFLA_XDP_PROG_ID; several have one number for each way they run. */
static void on_xdp(int ifindex, const char *name, const struct rtattr *xdp)
{
	int left = (int)RTA_PAYLOAD(xdp);

	for (const struct rtattr *a = RTA_DATA(xdp); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		uint32_t program;

		if (a->rta_type < IFLA_XDP_PROG_ID || a->rta_type > IFLA_XDP_HW_PROG_ID ||
		    RTA_PAYLOAD(a) != sizeof(program))
			continue;
		memcpy(&program, RTA_DATA(a), sizeof(program));
		if (program)
			found(ifindex, name, program);
	}
}

static void on_link(const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	const struct rtattr *xdp = NULL;
	int left = (int)IFLA_PAYLOAD(h);
	const char *name = "";

	for (const struct rtattr *a = IFLA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			name = RTA_DATA(a);
		if ((a->rta_type & NLA_TYPE_MASK) == IFLA_XDP)
			xdp = a;
	}
	if (xdp)
		on_xdp(m->ifi_index, name, xdp);
}

void xdp_check(void)
{
	if (!rtnetlink_dump(RTM_GETLINK, on_link))
		has_looked = true;
}
