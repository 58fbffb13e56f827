/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which of the proxy's sockets a question over UDP reaches: the socket says whose it is. */
#ifndef CARGOWALL_DNS_BPF_H
#define CARGOWALL_DNS_BPF_H

#include "config.bpf.h"

/* Where the addresses stand in the two headers (RFC 791 3.1, RFC 8200 3). */
#define IP_SOURCE 12
#define IP_DESTINATION 16
#define IPV6_SOURCE 8
#define IPV6_DESTINATION 24

/* Sender and receiver of a datagram; false when its headers can't be read. */
static __always_inline bool dns_ends(struct sk_reuseport_md *ctx, struct owner_key *from, struct address *to)
{
	bool v4 = ctx->eth_protocol == bpf_htons(ETH_P_IP);
	__u16 port;

	if (!v4 && ctx->eth_protocol != bpf_htons(ETH_P_IPV6))
		return false;
	if (v4) {
		from->src.b[10] = from->src.b[11] = to->b[10] = to->b[11] = 0xff;
		if (bpf_skb_load_bytes_relative(ctx, IP_SOURCE, from->src.b + 12, 4, BPF_HDR_START_NET) ||
		    bpf_skb_load_bytes_relative(ctx, IP_DESTINATION, to->b + 12, 4, BPF_HDR_START_NET))
			return false;
	} else if (bpf_skb_load_bytes_relative(ctx, IPV6_SOURCE, from->src.b, 16, BPF_HDR_START_NET) ||
		   bpf_skb_load_bytes_relative(ctx, IPV6_DESTINATION, to->b, 16, BPF_HDR_START_NET)) {
		return false;
	}
	if (bpf_skb_load_bytes(ctx, 0, &port, sizeof(port)))
		return false;
	from->port = bpf_ntohs(port);
	from->proto = IPPROTO_UDP;
	return true;
}

/*
 * The owner of a question: by its source, else, from a network of the machine's that is not its own
 * address, by its port alone; such a one is translated, and just sent.
 */
static __always_inline const struct owner_value *dns_owner(struct owner_key *from)
{
	struct local_key k = {.prefixlen = 128, .addr = from->src};
	const struct owner_value *owner = bpf_map_lookup_elem(&owners, from);
	const struct local_value *local;

	if (owner)
		return owner;
	local = bpf_map_lookup_elem(&locals, &k);
	if (!local || local->flags & LOCAL_OWN)
		return 0;
	__builtin_memset(&from->src, 0, sizeof(from->src));
	owner = bpf_map_lookup_elem(&owners, from);
	return owner && bpf_ktime_get_ns() - owner->seen_ns < OWNER_ANY_NS ? owner : 0;
}

/* Fails closed: a sender that is not known reaches no socket. */
static __always_inline int dns_choose(struct sk_reuseport_md *ctx)
{
	const struct owner_value *owner;
	struct owner_key from = {};
	struct address to = {};
	const __u32 *first;
	__u32 index;

	if (!dns_ends(ctx, &from, &to))
		return SK_DROP;
	owner = dns_owner(&from);
	if (!owner) {
		count(COUNTER_DNS_UNOWNED);
		return SK_DROP;
	}
	first = bpf_map_lookup_elem(&dns_addresses, &to);
	if (!first)
		return SK_DROP;
	index = *first + (owner->scope == SCOPE_RUNNER);
	return bpf_sk_select_reuseport(ctx, &dns_sockets, &index, 0) ? SK_DROP : SK_PASS;
}

#endif /* CARGOWALL_DNS_BPF_H */
