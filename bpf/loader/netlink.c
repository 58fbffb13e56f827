/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces, addresses and routes. An interface leads off the machine unless it is loopback,
 * dummy, bridge, veth or tap and no route with a gateway goes through it. Everything routed
 * through one that doesn't lead off is local.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "check.h"

#define INTERFACES_MAX 512
#define PREFIXES_MAX 2048

struct interface {
	unsigned int index;
	bool soft; /* loopback, dummy, bridge, veth, tap */
	bool gateway;
	bool plain; /* its packets have no header below IP */
	bool bridge;
	bool carrier; /* a NIC, bond or team: what it sends leaves by its parts, where it has any */
	unsigned int lower; /* the interface its frames pass next: of a VLAN and its like; 0 = none known */
	unsigned int master;
	char name[IFNAMSIZ];
};

struct prefix {
	struct local_key key;
	uint32_t flags;
	unsigned int ifindex;
};

struct own_address own_addresses[OWN_MAX];
size_t own_count;

static struct interface interfaces[INTERFACES_MAX];
static size_t interface_count;
static struct prefix prefixes[PREFIXES_MAX], programmed[PREFIXES_MAX];
static size_t prefix_count, programmed_count;
static unsigned int told[INTERFACES_MAX]; /* uplinks reported as not covered */
static size_t told_count;

static struct interface *interface_of(unsigned int index)
{
	for (size_t i = 0; i < interface_count; i++)
		if (interfaces[i].index == index)
			return &interfaces[i];
	return NULL;
}

bool network_leads_off(unsigned int ifindex)
{
	const struct interface *i = interface_of(ifindex);

	return i && (!i->soft || i->gateway);
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

static void prefix_add(const struct address *a, unsigned int length, uint32_t flags, unsigned int ifindex)
{
	struct prefix *p;

	if (prefix_count == PREFIXES_MAX)
		return; /* fails closed: counts as leaving the machine */
	p = &prefixes[prefix_count++];
	memset(p, 0, sizeof(*p));
	p->key.prefixlen = length;
	p->key.addr = *a;
	p->flags = flags;
	p->ifindex = ifindex;
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
	own_addresses[own_count].ifindex = m->ifa_index;
	prefix_add(&own_addresses[own_count].addr, 128, LOCAL_OWN, 0);
	own_count++;
}

static void has_gateway(uint32_t ifindex)
{
	struct interface *i = interface_of(ifindex);

	if (i)
		i->gateway = true;
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
				has_gateway((uint32_t)hop->rtnh_ifindex);
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
		has_gateway(out);
	/* fails closed: a route whose interface is not told is not local */
	if (gateway || !out)
		return;
	if (!destination || !m->rtm_dst_len || m->rtm_type != RTN_UNICAST)
		return;
	address_from(&a, m->rtm_family, destination);
	prefix_add(&a, m->rtm_dst_len + (m->rtm_family == AF_INET ? 96U : 0U), 0, out);
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
		has_gateway(out);
}

/* 0; -EAGAIN when what is dumped changed meanwhile; another -errno. */
static int dump(int type, void (*each)(const struct nlmsghdr *))
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

static int dump_all(void)
{
	int err;

	interface_count = prefix_count = own_count = 0;
	err = dump(RTM_GETLINK, on_link);
	if (!err)
		err = dump(RTM_GETROUTE, on_route);
	if (!err)
		err = dump(RTM_GETNEXTHOP, on_next_hop_object);
	if (err == -EOPNOTSUPP)
		err = 0; /* a kernel without next hop objects */
	return err ? err : dump(RTM_GETADDR, on_address);
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
	prefix_add(&v4, 104, 0, 0);
	v6.b[15] = 1;
	prefix_add(&v6, 128, 0, 0);
	return 0;
}

/* Whether an interface is among those already reported; it is from now on. */
static bool is_told(unsigned int index)
{
	for (size_t i = 0; i < told_count; i++)
		if (told[i] == index)
			return true;
	if (told_count < INTERFACES_MAX)
		told[told_count++] = index;
	return false;
}

/* Whether an interface is a bridge that another one with a wall belongs to. */
static bool is_bridge_of_uplink(const struct interface *bridge)
{
	for (size_t i = 0; bridge->bridge && i < interface_count; i++)
		if (interfaces[i].master == bridge->index && network_leads_off(interfaces[i].index))
			return true;
	return false;
}

/*
 * Whether frames pass two walls, of which this is not the one that counts: a bridge's and a VLAN's are
 * counted below, at the interface they leave by; those of a bond's or a virtual NIC's parts above.
 */
static bool is_stacked(const struct interface *i)
{
	const struct interface *master = i->master ? interface_of(i->master) : NULL;

	if (is_bridge_of_uplink(i) || (i->lower && network_leads_off(i->lower)))
		return true;
	return master && master->carrier && network_leads_off(master->index);
}

/*
 * Before its wall: that an interface leads off, whether the wall finds Ethernet on it or IP alone, and
 * whether it counts its bytes.
 */
static int tell_kind(const struct interface *i)
{
	uint32_t index = i->index, flags = 0;

	if (i->plain)
		flags |= LINK_PLAIN;
	if (is_stacked(i))
		flags |= LINK_STACKED;
	return bpf_map_update_elem(map_fds[M_UPLINKS], &index, &flags, BPF_ANY) ? -errno : 0;
}

/* Numbers of interfaces that are gone, or lead off no more. */
static void forget_uplinks(void)
{
	uint32_t index, next;
	bool more = !bpf_map_get_next_key(map_fds[M_UPLINKS], NULL, &next);

	while (more) {
		index = next;
		more = !bpf_map_get_next_key(map_fds[M_UPLINKS], &index, &next);
		if (!network_leads_off(index))
			bpf_map_delete_elem(map_fds[M_UPLINKS], &index);
	}
}

/* The wall on every uplink: one that can't be covered keeps none of the others from it. */
static int cover_uplinks(network_report report)
{
	int first = 0;

	forget_uplinks();
	for (size_t i = 0; i < interface_count; i++) {
		int err = 0;

		if (network_leads_off(interfaces[i].index)) {
			err = tell_kind(&interfaces[i]);
			if (!err)
				err = wall_attach(interfaces[i].index);
		}
		if (err == -ENODEV)
			continue; /* gone since the scan: its end is told by netlink */
		if (err && !is_told(interfaces[i].index))
			report(interfaces[i].name, err);
		if (!first)
			first = err;
	}
	return first;
}

/* Programs the local prefixes, new before old goes, and the wall on every uplink. */
int network_apply(network_report report)
{
	size_t kept = 0;

	for (size_t i = 0; i < prefix_count; i++) {
		struct prefix p = prefixes[i];
		struct local_value v = {.prefixlen = p.key.prefixlen, .flags = p.flags};

		if (p.ifindex && network_leads_off(p.ifindex))
			continue;
		bpf_map_update_elem(map_fds[M_LOCALS], &p.key, &v, BPF_ANY);
		prefixes[kept++] = p;
	}
	prefix_count = kept;
	for (size_t i = 0; i < programmed_count; i++) {
		bool still = false;

		for (size_t j = 0; j < prefix_count && !still; j++)
			still = !memcmp(&programmed[i].key, &prefixes[j].key, sizeof(prefixes[j].key));
		if (!still)
			bpf_map_delete_elem(map_fds[M_LOCALS], &programmed[i].key);
	}
	memcpy(programmed, prefixes, sizeof(prefixes[0]) * prefix_count);
	programmed_count = prefix_count;
	return cover_uplinks(report);
}

static bool is_programmed(const struct local_key *key)
{
	for (size_t i = 0; i < programmed_count; i++)
		if (!memcmp(&programmed[i].key, key, sizeof(*key)))
			return true;
	return false;
}

/* A prefix that is none of the network's opens whatever lies in it: it goes, and is told each time. */
void network_check(void)
{
	struct local_key key, *last = NULL;

	while (!bpf_map_get_next_key(map_fds[M_LOCALS], last, &key)) {
		last = is_programmed(&key) ? &key : NULL; /* a trie that has changed is read anew */
		if (last)
			continue;
		if (bpf_map_delete_elem(map_fds[M_LOCALS], &key)) {
			check_find("somebody else has written a local prefix, which could not be taken out");
			return;
		}
		check_happened("somebody else has written a local prefix; it is taken out again");
	}
}

void network_reload(void)
{
	struct local_key key, *last = NULL;

	for (programmed_count = 0; programmed_count < PREFIXES_MAX; programmed_count++) {
		if (bpf_map_get_next_key(map_fds[M_LOCALS], last, &key))
			return;
		programmed[programmed_count].key = key;
		last = &programmed[programmed_count].key;
	}
}
