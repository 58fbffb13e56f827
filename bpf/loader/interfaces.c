/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces by rtnetlink: of what kind they are, and what stands on what. */
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "interfaces.h"
#include "rtnetlink.h"

static struct interface interfaces[INTERFACES_MAX];
static size_t interface_count;

static struct interface *find(unsigned int index)
{
	for (size_t i = 0; i < interface_count; i++)
		if (interfaces[i].index == index)
			return &interfaces[i];
	return NULL;
}

const struct interface *interface_of(unsigned int index)
{
	return find(index);
}

const struct interface *interfaces_all(size_t *count)
{
	*count = interface_count;
	return interfaces;
}

bool network_leads_off(unsigned int index)
{
	const struct interface *i = find(index);

	return i && (!i->soft || i->gateway);
}

void interface_has_gateway(unsigned int index)
{
	struct interface *i = find(index);

	if (i)
		i->gateway = true;
}

/* VPNs and tunnels: the kernel hands their packets over from the IP header on. */
static bool is_plain(unsigned short type)
{
	return type == ARPHRD_NONE || type == ARPHRD_PPP || type == ARPHRD_RAWIP || type == ARPHRD_TUNNEL ||
	       type == ARPHRD_TUNNEL6 || type == ARPHRD_SIT || type == ARPHRD_IPGRE || type == ARPHRD_IP6GRE;
}

static void on_link(const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	int left = (int)IFLA_PAYLOAD(h), nested;
	unsigned int lower = 0;
	bool elsewhere = false; /* `lower` is a number of another namespace */
	bool stands_on = false; /* `lower` */
	struct interface *i;

	if (interface_count == INTERFACES_MAX)
		return;
	i = &interfaces[interface_count++];
	memset(i, 0, sizeof(*i));
	i->index = (unsigned int)m->ifi_index;
	i->soft = m->ifi_type == ARPHRD_LOOPBACK;
	i->plain = is_plain(m->ifi_type);
	i->carrier = true;
	for (struct rtattr *a = IFLA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			snprintf(i->name, sizeof(i->name), "%s", (const char *)RTA_DATA(a));
		if (a->rta_type == IFLA_LINK)
			memcpy(&lower, RTA_DATA(a), sizeof(lower));
		if (a->rta_type == IFLA_MASTER)
			memcpy(&i->master, RTA_DATA(a), sizeof(i->master));
		elsewhere |= a->rta_type == IFLA_LINK_NETNSID;
		if ((a->rta_type & NLA_TYPE_MASK) != IFLA_LINKINFO)
			continue;
		nested = (int)RTA_PAYLOAD(a);
		for (struct rtattr *k = RTA_DATA(a); RTA_OK(k, nested); k = RTA_NEXT(k, nested)) {
			const char *kind = RTA_DATA(k);

			if (k->rta_type != IFLA_INFO_KIND)
				continue;
			if (!strcmp(kind, "dummy") || !strcmp(kind, "bridge") || !strcmp(kind, "veth") ||
			    !strcmp(kind, "tun"))
				i->soft = strcmp(kind, "tun") || m->ifi_type == ARPHRD_ETHER;
			i->bridge = !strcmp(kind, "bridge");
			i->carrier = !strcmp(kind, "bond") || !strcmp(kind, "team");
			stands_on |= !strcmp(kind, "vlan") || !strcmp(kind, "macvlan") ||
				     !strcmp(kind, "macvtap") || !strcmp(kind, "ipvlan");
		}
	}
	if (stands_on && !elsewhere)
		i->lower = lower;
}

int interfaces_scan(void)
{
	interface_count = 0;
	return rtnetlink_dump(RTM_GETLINK, on_link);
}

/* Whether an interface is a bridge that another one with a wall belongs to. */
static bool is_bridge_of_uplink(const struct interface *bridge)
{
	for (size_t i = 0; bridge->bridge && i < interface_count; i++)
		if (interfaces[i].master == bridge->index && network_leads_off(interfaces[i].index))
			return true;
	return false;
}

bool interface_is_stacked(const struct interface *i)
{
	const struct interface *master = i->master ? interface_of(i->master) : NULL;

	if (is_bridge_of_uplink(i) || (i->lower && network_leads_off(i->lower)))
		return true;
	return master && master->carrier && network_leads_off(master->index);
}
