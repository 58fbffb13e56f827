/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A hook's context as one struct endpoint: every address 16 bytes, IPv4 as v4-mapped. */
#ifndef CARGOWALL_ENDPOINT_BPF_H
#define CARGOWALL_ENDPOINT_BPF_H

#include "maps.bpf.h"

/* Where something is sent, and from where as far as known. Ports in host order. */
struct endpoint {
	struct address dst;
	struct address src;
	unsigned short dport;
	unsigned short sport;
	unsigned char proto;
	unsigned char tcp_flags;
	unsigned char other_netns; /* the socket is not in the machine's network namespace */
	unsigned char shape; /* enum endpoint_shape */
	unsigned char icmp_type;
	unsigned char carries; /* a TCP segment with bytes behind its header */
	unsigned char head; /* the first of several fragments */
	unsigned char icmp_code;
	unsigned int id; /* of the datagram a fragment belongs to */
	unsigned int judged; /* the end of the bytes that a verdict rests on, from the buffer's start */
	unsigned int payload; /* bytes behind the TCP, UDP or ICMP header; of a later fragment all */
};

enum endpoint_shape {
	SHAPE_OK = 0,
	SHAPE_BAD = 1, /* malformed or source-routed */
	SHAPE_FRAGMENT = 2, /* not the first: no ports */
};

/* In units of 8 bytes: no link is so small that a head carries less (RFC 791: 68 bytes) */
#define FRAGMENT_OFFSET_MIN 6

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

static __always_inline void address_from_v4(struct address *a, __u32 be)
{
	__u32 *w = (__u32 *)a->b;

	w[0] = 0;
	w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = be;
}

static __always_inline bool address_is_v4(const struct address *a)
{
	const __u32 *w = (const __u32 *)a->b;

	return !w[0] && !w[1] && w[2] == bpf_htonl(0xffff);
}

static __always_inline bool address_equal(const struct address *a, const struct address *b)
{
	const __u64 *x = (const __u64 *)a->b, *y = (const __u64 *)b->b;

	return x[0] == y[0] && x[1] == y[1];
}

static __always_inline bool address_is_zero(const struct address *a)
{
	const __u64 *x = (const __u64 *)a->b;

	return !x[0] && !x[1];
}

/* 0.0.0.0 and ::, which connect() reads as loopback. */
static __always_inline bool address_is_unspecified(const struct address *a)
{
	const __u32 *w = (const __u32 *)a->b;

	return address_is_zero(a) || (address_is_v4(a) && !w[3]);
}

static __always_inline bool address_is_loopback(const struct address *a)
{
	const __u32 *w = (const __u32 *)a->b;

	if (address_is_v4(a))
		return a->b[12] == 127;
	return !w[0] && !w[1] && !w[2] && w[3] == bpf_htonl(1);
}

/* The cloud's metadata service and wireserver: never anybody's own network. */
static __always_inline bool address_is_platform(const struct address *a)
{
	if (!address_is_v4(a))
		return false;
	return (a->b[12] == 168 && a->b[13] == 63 && a->b[14] == 129 && a->b[15] == 16) ||
	       (a->b[12] == 169 && a->b[13] == 254 && a->b[14] == 169 && a->b[15] == 254);
}

/* Private and link-local destinations (spec 5): what another namespace may mean as its own. */
static __always_inline bool address_is_private(const struct address *a)
{
	if (address_is_v4(a)) {
		if (a->b[12] == 169 && a->b[13] == 254)
			return !address_is_platform(a);
		return a->b[12] == 10 || (a->b[12] == 172 && (a->b[13] & 0xf0) == 16) ||
		       (a->b[12] == 192 && a->b[13] == 168) || (a->b[12] == 100 && (a->b[13] & 0xc0) == 64);
	}
	return (a->b[0] & 0xfe) == 0xfc || (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
}

/* 203.0.113.252 to .254 and 2001:db8::fffd belong to the proof; .254 is the canary. */
static __always_inline int proof_number(const struct address *a)
{
	const __u32 *w = (const __u32 *)a->b;

	if (address_is_v4(a)) {
		if (w[3] == bpf_htonl(0xcb0071fc))
			return 1;
		if (w[3] == bpf_htonl(0xcb0071fd))
			return 2;
		return w[3] == bpf_htonl(0xcb0071fe) ? 3 : 0;
	}
	return w[0] == bpf_htonl(0x20010db8) && !w[1] && !w[2] && w[3] == bpf_htonl(0xfffd);
}

/* IPv4 of a socket call. */
static __always_inline void endpoint_from_call4(struct endpoint *e, struct bpf_sock_addr *ctx)
{
	address_from_v4(&e->dst, ctx->user_ip4);
	e->dport = bpf_ntohs((__u16)ctx->user_port);
	e->proto = ctx->protocol;
}

/* IPv6 of a socket call; a v4-mapped destination is already in the one form. */
static __always_inline void endpoint_from_call6(struct endpoint *e, struct bpf_sock_addr *ctx)
{
	__u32 *w = (__u32 *)e->dst.b;

	w[0] = ctx->user_ip6[0];
	w[1] = ctx->user_ip6[1];
	w[2] = ctx->user_ip6[2];
	w[3] = ctx->user_ip6[3];
	e->dport = bpf_ntohs((__u16)ctx->user_port);
	e->proto = ctx->protocol;
	if (address_is_v4(&e->dst) && e->proto == IPPROTO_ICMPV6)
		e->proto = IPPROTO_ICMP;
}

/*
 * The header at `at` of a payload that ends at `end`. A first fragment holds all of its header
 * (RFC 1858), and a datagram's length counts the fragments behind it.
 */
static __always_inline int transport_from_packet(struct endpoint *e, struct __sk_buff *skb, __u32 at,
						 __u32 end, bool fragment)
{
	__u8 l4[14] = {};
	__u32 length;

	e->judged = at;
	if (e->proto == IPPROTO_TCP) {
		e->judged += 14;
		if (bpf_skb_load_bytes(skb, at, l4, 14))
			return SHAPE_BAD;
		length = (l4[12] >> 4) * 4U;
		if (length < 20 || at + length > end)
			return SHAPE_BAD;
		e->tcp_flags = l4[13];
		e->carries = end > at + length;
		e->payload = end - at - length;
	} else if (e->proto == IPPROTO_UDP) {
		e->judged += 6;
		if (bpf_skb_load_bytes(skb, at, l4, 8))
			return SHAPE_BAD;
		length = (__u32)l4[4] << 8 | l4[5];
		if (length < 8 || at + 8 > end || (!fragment && at + length > end))
			return SHAPE_BAD;
		e->payload = end - at - 8;
	} else {
		if ((e->proto == IPPROTO_ICMP || e->proto == IPPROTO_ICMPV6) &&
		    !bpf_skb_load_bytes(skb, at, l4, 2)) {
			e->judged += 2;
			e->icmp_type = l4[0];
			e->icmp_code = l4[1];
		}
		e->payload = end > at + 8 ? end - at - 8 : 0;
		return SHAPE_OK;
	}
	e->sport = (__u16)l4[0] << 8 | l4[1];
	e->dport = (__u16)l4[2] << 8 | l4[3];
	return SHAPE_OK;
}

/*
 * Where an IP packet at `at` ends by its own length, 0: not within the buffer. Only a packet still
 * to be cut into segments may be too long for the field, which then is 0.
 */
static __always_inline __u32 packet_end(struct __sk_buff *skb, __u32 at, __u32 length, bool unsaid)
{
	if (unsaid)
		return skb->gso_size ? skb->len : 0;
	return at + length <= skb->len ? at + length : 0;
}

static __always_inline int endpoint_from_ipv4(struct endpoint *e, struct __sk_buff *skb, __u32 at)
{
	__u8 h[20];
	__u32 length, total, end, fragment, be;
	bool routed = false;
	int shape;

	if (bpf_skb_load_bytes(skb, at, h, sizeof(h)) || h[0] >> 4 != 4)
		return SHAPE_BAD;
	length = (h[0] & 15) * 4;
	__builtin_memcpy(&be, h + 12, 4);
	address_from_v4(&e->src, be);
	__builtin_memcpy(&be, h + 16, 4);
	address_from_v4(&e->dst, be);
	e->proto = h[9];
	total = (__u32)h[2] << 8 | h[3];
	end = packet_end(skb, at, total, !total);
	if (length < 20 || at + length > end)
		return SHAPE_BAD;
	fragment = ((__u32)h[6] << 8 | h[7]) & 0x3fff;
	e->id = (__u32)h[4] << 8 | h[5];
	e->head = fragment == 0x2000;
	e->judged = at + length;
	e->payload = end - at - length;
	if (fragment & 0x1fff)
		return (fragment & 0x1fff) < FRAGMENT_OFFSET_MIN ? SHAPE_BAD : SHAPE_FRAGMENT;
	/* options are never needed and can route by the source (RFC 791): router alert (148), as
	 * IGMP carries it, is the one exception */
	if (length > 20) {
		__u8 option = 0;

		bpf_skb_load_bytes(skb, at + 20, &option, 1);
		routed = option != 148 || length != 24;
	}
	shape = transport_from_packet(e, skb, at + length, end, fragment); /* its record has ports */
	return routed ? SHAPE_BAD : shape;
}

#define EXTENSIONS_MAX 6
#define FRAME_HEADER_MAX 64 /* bytes before the IP header */

static __always_inline int endpoint_from_ipv6(struct endpoint *e, struct __sk_buff *skb, __u32 at)
{
	__u8 h[40], next[8];
	bool fragment = false;
	__u32 length, end;
	int i;

	if (bpf_skb_load_bytes(skb, at, h, sizeof(h)) || h[0] >> 4 != 6)
		return SHAPE_BAD;
	__builtin_memcpy(e->src.b, h + 8, 16);
	__builtin_memcpy(e->dst.b, h + 24, 16);
	e->proto = h[6];
	length = (__u32)h[4] << 8 | h[5];
	end = packet_end(skb, at, 40 + length, !length);
	/* a mapped address is a form of ours, never of the wire's */
	if (!end || address_is_v4(&e->dst) || address_is_v4(&e->src))
		return SHAPE_BAD;
	at += 40;
	for (i = 0; i < EXTENSIONS_MAX; i++) {
		if (e->proto != 0 && e->proto != 43 && e->proto != 44 && e->proto != 60)
			return transport_from_packet(e, skb, at, end, fragment);
		/* a head of several fragments has its ports where no other fragment can lie over them */
		if (e->head || bpf_skb_load_bytes(skb, at, next, 4))
			return SHAPE_BAD;
		if (e->proto == 43 && next[3])
			return SHAPE_BAD; /* a routing header with segments left (RFC 8200 4.4) */
		if (e->proto == 44) {
			__u32 place = (__u32)next[2] << 8 | next[3];

			if (bpf_skb_load_bytes(skb, at, next, 8))
				return SHAPE_BAD;
			e->proto = next[0];
			e->id = (__u32)next[4] << 24 | (__u32)next[5] << 16 | (__u32)next[6] << 8 | next[7];
			e->head = place == 1;
			e->judged = at + 8;
			e->payload = end > at + 8 ? end - at - 8 : 0;
			if (place >> 3)
				return place >> 3 < FRAGMENT_OFFSET_MIN ? SHAPE_BAD : SHAPE_FRAGMENT;
			fragment = true;
			at += 8;
			continue;
		}
		e->proto = next[0];
		at += 8 + (__u32)next[1] * 8;
	}
	return SHAPE_BAD; /* fails closed: a chain that can't be finished */
}

/*
 * An IP packet that starts at `at`; always 0. Not static: the kernel checks it once, whatever the
 * callers know, and Linux 6.1 would give up otherwise.
 */
__noinline int endpoint_from_packet(struct endpoint *e, struct __sk_buff *skb, __u32 at)
{
	__u8 version = 0;

	if (!e || at > FRAME_HEADER_MAX)
		return 0;
	bpf_skb_load_bytes(skb, at, &version, 1);
	if (version >> 4 == 4)
		e->shape = endpoint_from_ipv4(e, skb, at);
	else
		e->shape = endpoint_from_ipv6(e, skb, at);
	return 0;
}

#endif /* CARGOWALL_ENDPOINT_BPF_H */
