/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Questions over UDP the daemon has answered twice within a second: the kernel gives the same reply, on the
 * question's way over the loopback interface. The daemon says which and until when; nothing is concluded
 * here, and what is not known word for word goes on to the proxy.
 */
#ifndef CARGOWALL_AGAIN_BPF_H
#define CARGOWALL_AGAIN_BPF_H

#include "dns.bpf.h"

/* Where a datagram's parts stand behind Ethernet, IPv4 without options (RFC 791 3.1) and UDP (RFC 768). */
#define FRAME_IP 14
#define FRAME_UDP (FRAME_IP + 20)
#define FRAME_DNS (FRAME_UDP + 8)
#define DNS_ID_SIZE 2
#define DNS_HEADER_SIZE 12

/* IPv4 and UDP as they are sent. */
struct datagram {
	__u8 version_ihl;
	__u8 tos;
	__u16 size;
	__u16 id;
	__u16 fragment;
	__u8 ttl;
	__u8 proto;
	__u16 ip_sum;
	__u8 src[4];
	__u8 dst[4];
	__u16 sport;
	__u16 dport;
	__u16 udp_size;
	__u16 udp_sum;
};
_Static_assert(sizeof(struct datagram) == FRAME_DNS - FRAME_IP, "datagram");

/* Whether it is one datagram to the proxy's loopback address, with a question that may be known. */
static __always_inline bool again_is_question(const struct datagram *d, __u32 size, const struct config *c)
{
	return d->version_ihl == 0x45 && d->proto == IPPROTO_UDP && !(d->fragment & bpf_htons(0x3fff)) &&
	       d->dport == bpf_htons(c->proxy_port) && d->src[0] == 127 &&
	       !__builtin_memcmp(d->dst, c->proxy4.b + 12, 4) && size > FRAME_DNS + DNS_HEADER_SIZE &&
	       size <= FRAME_DNS + DNS_ID_SIZE + REPLY_QUESTION_MAX &&
	       d->udp_size == bpf_htons((__u16)(size - FRAME_UDP)) &&
	       d->size == bpf_htons((__u16)(size - FRAME_IP));
}

/* Whose question it is, as dns_choose() has it. */
static __always_inline bool again_scope(const struct datagram *d, __u32 *scope)
{
	struct owner_key from = {.port = bpf_ntohs(d->sport), .proto = IPPROTO_UDP};
	const struct owner_value *owner;

	from.src.b[10] = from.src.b[11] = 0xff;
	__builtin_memcpy(from.src.b + 12, d->src, 4);
	owner = bpf_map_lookup_elem(&owners, &from);
	if (!owner)
		return false;
	*scope = owner->scope == SCOPE_RUNNER ? SCOPE_RUNNER : SCOPE_EVERYONE;
	return true;
}

/*
 * A copy of a reply that still holds; NULL: there is none. An entry may be given away while it is read: it
 * was not if its number stands under its question afterwards, for no number comes twice.
 */
static __always_inline const struct reply_value *again_reply(const struct reply_key *k)
{
	const volatile struct reply_value *v = bpf_map_lookup_elem(&replies, k);
	struct reply_value *copy;
	__u64 number;
	__u32 zero = 0;

	copy = bpf_map_lookup_elem(&reply_copies, &zero);
	if (!v || !copy)
		return 0;
	number = v->number;
	if (bpf_probe_read_kernel(copy, sizeof(*copy), (const void *)v))
		return 0;
	v = bpf_map_lookup_elem(&replies, k);
	if (!v || v->number != number || copy->number != number || copy->until_ns <= bpf_ktime_get_ns())
		return 0;
	return copy;
}

/* Turns the question into its reply: what is sent goes on, or back to who sent it, or nowhere. */
static __always_inline int again_turn(struct __sk_buff *skb, struct datagram *d, const struct reply_value *v)
{
	__u32 size = v->size;
	__u16 before = d->size, port = d->sport;
	__u8 address[4];

	if (size < DNS_HEADER_SIZE - DNS_ID_SIZE || size > REPLY_MAX ||
	    bpf_skb_change_tail(skb, FRAME_DNS + DNS_ID_SIZE + size, 0))
		return TCX_NEXT_PROGRAM;
	__builtin_memcpy(address, d->src, 4);
	__builtin_memcpy(d->src, d->dst, 4);
	__builtin_memcpy(d->dst, address, 4);
	d->sport = d->dport;
	d->dport = port;
	d->size = bpf_htons((__u16)(FRAME_DNS - FRAME_IP + DNS_ID_SIZE + size));
	d->udp_size = bpf_htons((__u16)(FRAME_DNS - FRAME_UDP + DNS_ID_SIZE + size));
	d->udp_sum = 0; /* none: it does not leave the machine */
	if (bpf_skb_store_bytes(skb, FRAME_IP, d, sizeof(*d), 0) ||
	    bpf_l3_csum_replace(skb, FRAME_IP + 10, before, d->size, 2) ||
	    bpf_skb_store_bytes(skb, FRAME_DNS + DNS_ID_SIZE, v->reply, size, 0))
		return TCX_DROP_FRAME;
	count(COUNTER_DNS_AGAIN);
	return TCX_NEXT_PROGRAM;
}

static __always_inline int again_answer(struct __sk_buff *skb)
{
	const struct config *c = config_get();
	const struct reply_value *v;
	__u32 size = skb->len, zero = 0;
	struct reply_key *k;
	struct datagram d;

	if (!c || skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, FRAME_IP, &d, sizeof(d)) ||
	    !again_is_question(&d, size, c))
		return TCX_NEXT_PROGRAM;
	k = bpf_map_lookup_elem(&reply_keys, &zero);
	if (!k)
		return TCX_NEXT_PROGRAM;
	__builtin_memset(k, 0, sizeof(*k));
	if (!again_scope(&d, &k->scope))
		return TCX_NEXT_PROGRAM;
	size -= FRAME_DNS + DNS_ID_SIZE;
	barrier_var(size); /* for the verifiers of 6.1 and 6.12: the compiler has seen these bounds before */
	if (size < DNS_HEADER_SIZE - DNS_ID_SIZE || size > REPLY_QUESTION_MAX)
		return TCX_NEXT_PROGRAM;
	k->size = size;
	if (bpf_skb_load_bytes(skb, FRAME_DNS + DNS_ID_SIZE, k->question, size))
		return TCX_NEXT_PROGRAM;
	v = again_reply(k);
	return v ? again_turn(skb, &d, v) : TCX_NEXT_PROGRAM;
}

#endif /* CARGOWALL_AGAIN_BPF_H */
