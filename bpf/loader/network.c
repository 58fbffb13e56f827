/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses, routes and next hops. Everything routed through an interface that doesn't lead off is local;
 * a route with a gateway makes its interface lead off.
 */
#include <errno.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "interfaces.h"
#include "locals.h"
#include "network.h"
#include "rtnetlink.h"

#define OWN_MAX 256

static struct own_address own_addresses[OWN_MAX];
static size_t own_count;

const struct own_address *network_own(size_t *count)
{
	*count = own_count;
	return own_addresses;
}

static void address_from(struct address *a, int family, const void *bytes)
{
	memset(a, 0, sizeof(*a));
	if (family == AF_INET) {
		a->b[10] = a->b[11] = 0xff;
		memcpy(a->b + 12, bytes, 4);
	} else {
		memcpy(a->b, bytes, 16);
	}
}

/* Whether a prefix of IPv6 is of, or around, what stands for IPv4 (::ffff:0:0/96): no route of IPv6 leads there. */
static bool is_of_ipv4(int family, const struct address *a, unsigned int length)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (family != AF_INET6)
		return false;
	for (unsigned int bit = 0; bit < length && bit < 8 * sizeof(mapped); bit++)
		if ((a->b[bit / 8] ^ mapped[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static void on_address(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	int left = (int)IFA_PAYLOAD(h);
	const void *bytes = NULL;

	if (m->ifa_family != AF_INET && m->ifa_family != AF_INET6)
		return;
	for (struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFA_LOCAL || (a->rta_type == IFA_ADDRESS && !bytes))
			bytes = RTA_DATA(a);
	if (!bytes || own_count == OWN_MAX)
		return;
	address_from(&own_addresses[own_count].addr, m->ifa_family, bytes);
	if (is_of_ipv4(m->ifa_family, &own_addresses[own_count].addr, 128))
		return;
	own_addresses[own_count].ifindex = m->ifa_index;
	locals_add(&own_addresses[own_count].addr, 128, LOCAL_OWN, 0);
	own_count++;
}

/* The next hops of a multipath route: each with a gateway marks its interface. */
static void on_next_hops(const struct rtattr *r)
{
	const struct rtnexthop *hop = RTA_DATA(r);
	int left = (int)RTA_PAYLOAD(r);

	while (RTNH_OK(hop, left)) {
		int size = (int)(hop->rtnh_len - sizeof(*hop));

		for (struct rtattr *a = RTNH_DATA(hop); RTA_OK(a, size); a = RTA_NEXT(a, size))
			if (a->rta_type == RTA_GATEWAY || a->rta_type == RTA_VIA)
				interface_has_gateway((uint32_t)hop->rtnh_ifindex);
		left -= (int)RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
}

static void on_route(const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	int left = (int)RTM_PAYLOAD(h);
	const void *destination = NULL;
	bool gateway = false;
	uint32_t out = 0;
	struct address a;

	if (m->rtm_family != AF_INET && m->rtm_family != AF_INET6)
		return;
	for (struct rtattr *r = RTM_RTA(m); RTA_OK(r, left); r = RTA_NEXT(r, left)) {
		if (r->rta_type == RTA_DST)
			destination = RTA_DATA(r);
		else if (r->rta_type == RTA_OIF)
			memcpy(&out, RTA_DATA(r), sizeof(out));
		else if (r->rta_type == RTA_GATEWAY || r->rta_type == RTA_VIA)
			gateway = true;
		else if (r->rta_type == RTA_MULTIPATH)
			on_next_hops(r);
	}
	if (gateway)
		interface_has_gateway(out);
	/* fails closed: a route whose interface is not told is not local */
	if (gateway || !out)
		return;
	if (!destination || !m->rtm_dst_len || m->rtm_type != RTN_UNICAST)
		return;
	address_from(&a, m->rtm_family, destination);
	if (is_of_ipv4(m->rtm_family, &a, m->rtm_dst_len))
		return;
	locals_add(&a, m->rtm_dst_len + (m->rtm_family == AF_INET ? 96U : 0U), 0, out);
}

/* A next hop object: routes that use one need not name its interface. */
static void on_next_hop_object(const struct nlmsghdr *h)
{
	const struct nhmsg *m = NLMSG_DATA(h);
	int left = (int)NLMSG_PAYLOAD(h, sizeof(*m));
	const struct rtattr *a = (const void *)((const char *)m + NLMSG_ALIGN(sizeof(*m)));
	bool gateway = false;
	uint32_t out = 0;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == NHA_OIF)
			memcpy(&out, RTA_DATA(a), sizeof(out));
		else if (a->rta_type == NHA_GATEWAY)
			gateway = true;
	}
	if (gateway)
		interface_has_gateway(out);
}

static int dump_all(void)
{
	int err;

	own_count = 0;
	locals_clear();
	err = interfaces_scan();
	if (!err)
		err = rtnetlink_dump(RTM_GETROUTE, on_route);
	if (!err)
		err = rtnetlink_dump(RTM_GETNEXTHOP, on_next_hop_object);
	if (err == -EOPNOTSUPP)
		err = 0; /* a kernel without next hop objects */
	return err ? err : rtnetlink_dump(RTM_GETADDR, on_address);
}

int network_scan(void)
{
	struct address v4 = {}, v6 = {};
	int err = -EAGAIN;

	for (int tries = 0; tries < 20 && err == -EAGAIN; tries++)
		err = dump_all();
	if (err)
		return err;
	for (size_t i = 0; i < own_count; i++) {
		const struct interface *at = interface_of(own_addresses[i].ifindex);

		own_addresses[i].uplink = network_leads_off(own_addresses[i].ifindex);
		own_addresses[i].plain = at && at->plain;
	}
	v4.b[10] = v4.b[11] = 0xff;
	v4.b[12] = 127;
	locals_add(&v4, 104, 0, 0);
	v6.b[15] = 1;
	locals_add(&v6, 128, 0, 0);
	return 0;
}

int network_apply(network_report report)
{
	/* what somebody else has written is told before it is written over */
	locals_check();
	uplinks_check();
	locals_apply();
	return uplinks_cover(report);
}

void network_reload(void)
{
	locals_reload();
	uplinks_reload();
}
