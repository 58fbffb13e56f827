/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What the kernel itself makes, and whom it answers. The kernel answers at once, on the CPU that was handed
 * the packet: so what came last says who has asked. A process with CAP_NET_RAW, or a container, can have it
 * answer somebody else with bytes of its own (an echo request in the name of another); such an answer is
 * judged like any packet.
 */
#ifndef CARGOWALL_ANSWER_BPF_H
#define CARGOWALL_ANSWER_BPF_H

#include "config.bpf.h"
#include "endpoint.bpf.h"

/* Of the types the kernel makes without being asked: MLD, NDP (RFC 2710, 3810, 4861), IGMP. */
static __always_inline bool is_housekeeping(const struct endpoint *e)
{
	if (e->proto == IPPROTO_ICMPV6)
		return (e->icmp_type >= 130 && e->icmp_type <= 137) || e->icmp_type == 143;
	return e->proto == 2;
}

/*
 * Of the types the kernel answers a packet with: echo replies, errors (RFC 792, 4443), a reset that
 * carries nothing. Not the errors a timer makes (a neighbour or a fragment that did not come).
 */
static __always_inline bool is_answer(const struct endpoint *e)
{
	__u8 type = e->icmp_type, code = e->icmp_code;

	if (e->proto == IPPROTO_ICMPV6)
		return type == 129 || type == 2 || type == 4 || (type == 1 && code != 3) ||
		       (type == 3 && code != 1);
	if (e->proto == IPPROTO_ICMP)
		return type == 0 || type == 12 || ((type == 3 || type == 11) && code != 1);
	return e->proto == IPPROTO_TCP && (e->tcp_flags & TCP_RST) && !e->carries;
}

/*
 * What a CPU was handed last, when that came by an uplink of the machine's: what a process or a network
 * behind the machine has the kernel answer, in the name of another, is theirs. NULL: it did not.
 */
static __always_inline const struct arrival *arrival_from_outside(const struct config *c)
{
	__u32 zero = 0;
	const struct arrival *a = bpf_map_lookup_elem(&arrivals, &zero);
	__u32 ifindex;

	if (!a || a->netns != c->host_netns)
		return 0;
	ifindex = a->ifindex;
	return bpf_map_lookup_elem(&uplinks, &ifindex) ? a : 0;
}

/*
 * Whether the kernel itself made a packet without a process behind it, by its exact type. An answer that
 * has waited for a neighbour, or to several fragments, may be anybody's: a reset tells nothing.
 */
static __always_inline bool made_by_kernel(const struct endpoint *e, const struct config *c)
{
	const struct arrival *a;

	if (e->shape != SHAPE_OK)
		return false;
	if (is_housekeeping(e))
		return true;
	a = is_answer(e) ? arrival_from_outside(c) : 0;
	return a && ((!a->neighbour && !a->rest) || e->proto == IPPROTO_TCP);
}

/* Whether nobody can say whom an answer is for: counted when it is refused, and not recorded. */
static __always_inline bool has_waited(const struct endpoint *e, const struct config *c)
{
	const struct arrival *a = e->shape == SHAPE_OK && is_answer(e) ? arrival_from_outside(c) : 0;

	return a && a->neighbour;
}

/* Of IPv6: neighbour discovery from router solicitation to redirect (RFC 4861). */
static __always_inline bool is_of_neighbours(const __u8 *ipv6)
{
	return ipv6[6] == IPPROTO_ICMPV6 && ipv6[40] >= 133 && ipv6[40] <= 137;
}

/*
 * Reads what a packet is, behind at most two VLAN tags. What can't be told may be the rest of a datagram: a
 * fragment, what an extension of IPv6 hides, and what is not in the buffer.
 */
static __always_inline void arrival_read(struct arrival *a, struct sk_buff *skb)
{
	__u8 *at = skb->data, *end = at + (skb->len - skb->data_len);
	__u16 type = skb->protocol;
	__u8 ip[41] = {}; /* IPv6, and the type of ICMPv6 behind it */
	int i;

	for (i = 0; i < 2 && (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)); i++) {
		bpf_probe_read_kernel(&type, sizeof(type), at + 2);
		at += 4;
	}
	a->neighbour = type == bpf_htons(ETH_P_ARP);
	a->rest = !a->neighbour;
	if (type == bpf_htons(ETH_P_IP)) {
		a->rest = at + 20 > end || bpf_probe_read_kernel(ip, 20, at) || (ip[6] & 0x3f) || ip[7];
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		a->rest = at + sizeof(ip) > end || bpf_probe_read_kernel(ip, sizeof(ip), at) ||
			  (ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP && ip[6] != IPPROTO_ICMPV6);
		a->neighbour = is_of_neighbours(ip);
	}
}

/* Notes what this CPU was handed, whatever network namespace it is in. */
static __always_inline int packet_arrived(struct sk_buff *skb)
{
	__u32 zero = 0;
	struct arrival *a = bpf_map_lookup_elem(&arrivals, &zero);

	if (!a)
		return 0;
	a->netns = skb->dev->nd_net.net->net_cookie;
	a->ifindex = (__u32)skb->dev->ifindex;
	arrival_read(a, skb);
	return 0;
}

#endif /* CARGOWALL_ANSWER_BPF_H */
