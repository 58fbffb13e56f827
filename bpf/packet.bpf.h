/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Judging packets: the verdict for everything that has a socket. */
#ifndef CARGOWALL_PACKET_BPF_H
#define CARGOWALL_PACKET_BPF_H

#include "admitted.bpf.h"
#include "answer.bpf.h"
#include "asker.bpf.h"
#include "steer.bpf.h"
#include "traffic.bpf.h"

/* `raw`: the socket can write headers of its own, so nothing said of one packet holds for another. */
static __always_inline struct socket_state *packet_socket(struct __sk_buff *skb, bool create, bool *raw)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	*raw = sk->type == SOCK_RAW;
	return bpf_sk_storage_get(&sockets, sk, 0, create ? BPF_SK_STORAGE_GET_F_CREATE : 0);
}

/* A DHCP client's frame while the machine has no lease (RFC 2131 4.1). */
static __always_inline bool asks_for_lease(const struct endpoint *e)
{
	struct address everybody;

	address_from_v4(&everybody, 0xffffffff);
	return e->proto == IPPROTO_UDP && e->sport == 68 && e->dport == 67 && address_is_v4(&e->src) &&
	       address_is_unspecified(&e->src) && address_equal(&e->dst, &everybody);
}

/* Whether a packet comes from an address of this machine or of a network behind it. */
static __always_inline bool source_is_local(const struct endpoint *e)
{
	struct local_key k = {.prefixlen = 128, .addr = e->src};

	return !address_is_loopback(&e->src) && bpf_map_lookup_elem(&locals, &k);
}

/*
 * Whether a packet may come from where it says. A socket of another namespace has addresses of its own,
 * until its packets leave by an uplink.
 */
static __always_inline bool source_is_ours(const struct endpoint *e, const struct socket_state *s,
					   __u32 scope, const struct record *r, const struct config *c)
{
	if ((scope == SCOPE_PLATFORM || scope == SCOPE_LEASE) && asks_for_lease(e))
		return true;
	if (r->layer != LAYER_TC && !(s && s->netns == c->host_netns))
		return true;
	return source_is_local(e);
}

int packet_decide(const struct endpoint *e, struct socket_state *s, struct question *q, struct decision *d,
		  struct record *r);

/* Decides a packet that no cache answers, and records it once. 1: it passes. Not static, as verdict_for(). */
__noinline int packet_decide(const struct endpoint *e, struct socket_state *s, struct question *q,
			     struct decision *d, struct record *r)
{
	const struct config *c = config_get();
	const struct policy_config *p = policy_get();
	struct flow_key k = {};
	bool reported = false, is_news;

	if (!c || !p || !e || !q || !d || !r)
		return 0;
	verdict_for(q, d);
	/* unreadable, or a local destination that leaves by an uplink: never */
	if (d->by == BY_LOCAL && (r->layer == LAYER_TC || address_is_zero(&e->dst)))
		decided(d, VERDICT_DENY, BY_SHAPE);
	if (d->by == BY_LOCAL) {
		if (s && e->shape == SHAPE_OK)
			call_remember(s, q, d, p->generation, e);
		return true;
	}
	if (d->by != BY_PROOF && r->processless && made_by_kernel(e, c))
		return decided(d, VERDICT_ALLOW, BY_KERNEL);
	reported = r->processless && has_waited(e, c);
	flow_key_of(&k, e);
	if (e->shape == SHAPE_OK) {
		admit_existing(d, &k, s, q, r, p);
		admit_continued(d, &k, e, p, s, (__u16)q->scope, r->processless);
		if (r->inbound && d->verdict != VERDICT_ALLOW && d->by == BY_DEFAULT)
			decided(d, VERDICT_ALLOW, BY_INBOUND);
	}
	if (e->shape != SHAPE_OK ||
	    (d->verdict == VERDICT_ALLOW &&
	     (!source_is_ours(e, s, q->scope, r, c) || (d->by == BY_DEFAULT && address_is_of_many(&e->dst)))))
		decided(d, VERDICT_DENY, BY_SHAPE);
	/* what the wall alone refuses, the cgroup layer goes on passing to it */
	if (s && e->shape == SHAPE_OK && !(r->layer == LAYER_TC && d->by == BY_SHAPE)) {
		reported |= d->verdict != VERDICT_ALLOW && s->tried_port == e->dport &&
			    address_equal(&s->tried, &e->dst);
		call_remember(s, q, d, p->generation, e);
	}
	r->mid_stream = e->proto == IPPROTO_TCP && !(e->tcp_flags & TCP_SYN);
	/* the daemon's own questions to its upstream are no news */
	is_news = !reported &&
		  !(q->scope == SCOPE_DAEMON && d->by == BY_DAEMON && d->verdict == VERDICT_ALLOW) &&
		  flow_is_new(&k, d, p, q->scope, s);
	flow_key_of_any(&k, e);
	if (q->other_netns && e->shape == SHAPE_OK)
		flow_is_new(&k, d, p, q->scope, s);
	if (is_news && !(r->forwarded && flow_is_told(&k, d, p, s)))
		flow_emit(e, d, s, r);
	if (d->verdict != VERDICT_ALLOW)
		count(r->layer == LAYER_TC ? COUNTER_TC_DENIED : COUNTER_EGRESS_DENIED);
	return passes(c, d->verdict, d->by);
}

/*
 * remembered() without parsing: a plain IPv4 or IPv6 header, TCP or UDP, of which every byte that
 * is asked is linear. Anything else takes the long way. `payload`: the bytes behind those headers,
 * which the kernel has made.
 */
static __always_inline bool remembered_plainly(struct __sk_buff *skb, const struct socket_state *s,
					       __u32 generation, __s32 *payload)
{
	const __u8 *data = (const __u8 *)(long)skb->data, *end = (const __u8 *)(long)skb->data_end;
	const __u32 *peer = (const __u32 *)s->peer.b, *from = (const __u32 *)s->from.b;
	const __u32 *at;
	__u8 proto = s->peer_proto;

	if (s->generation != generation || (proto != IPPROTO_TCP && proto != IPPROTO_UDP))
		return false;
	if (address_is_v4(&s->peer)) {
		if (data + IPV4_UDP > end || data[0] != 0x45 || data[9] != proto ||
		    (*(const __u16 *)(data + 6) & bpf_htons(0x3fff)))
			return false;
		*payload = (__s32)skb->len - IPV4_UDP;
		if (proto == IPPROTO_TCP) {
			if (data + 33 > end)
				return false;
			*payload = (__s32)skb->len - 20 - (data[32] >> 4) * 4;
		}
		return *(const __u32 *)(data + 12) == from[3] && *(const __u32 *)(data + 16) == peer[3] &&
		       *(const __u16 *)(data + 22) == bpf_htons(s->peer_port);
	}
	if (data + IPV6_UDP > end || data[0] >> 4 != 6 || data[6] != proto)
		return false;
	*payload = (__s32)skb->len - IPV6_UDP;
	if (proto == IPPROTO_TCP) {
		if (data + 53 > end)
			return false;
		*payload = (__s32)skb->len - 40 - (data[52] >> 4) * 4;
	}
	at = (const __u32 *)(data + 8);
	return at[0] == from[0] && at[1] == from[1] && at[2] == from[2] && at[3] == from[3] &&
	       at[4] == peer[0] && at[5] == peer[1] && at[6] == peer[2] && at[7] == peer[3] &&
	       *(const __u16 *)(data + 42) == bpf_htons(s->peer_port);
}

/* A copy of a socket's head: read whole from its start, for the verifier lets nobody count from a socket. */
static __always_inline struct sock *sock_read(struct bpf_sock *sk)
{
	return (struct sock *)sock_head_of(sk);
}

/* A socket of the internet's families that the kernel has made for itself: its ICMP, its resets. */
static __always_inline bool is_own_of_kernel(struct bpf_sock *sk)
{
	struct sock *copy;

	if (sk->family != AF_INET && sk->family != AF_INET6)
		return false;
	copy = sock_read(sk);
	return copy && BPF_CORE_READ_BITFIELD(copy, sk_kern_sock);
}

/* The network namespace of a socket older than us; its owner stays unknown. */
static __always_inline void learn_netns(struct __sk_buff *skb, struct socket_state *s)
{
	struct bpf_sock *sk = skb->sk;
	struct sock *copy;
	struct net *net;

	if (s->netns || !sk)
		return;
	sk = bpf_sk_fullsock(sk);
	copy = sk ? sock_read(sk) : 0;
	if (!copy)
		return;
	net = copy->__sk_common.skc_net.net;
	s->netns = BPF_CORE_READ(net, net_cookie);
}

/* Whether a packet was made on this machine, and no process's socket made it. */
static __always_inline bool is_processless(struct __sk_buff *skb, const struct socket_state *s)
{
	struct bpf_sock *sk = skb->sk;

	if (skb->ingress_ifindex || (s && s->known))
		return false;
	if (!sk)
		return true;
	sk = bpf_sk_fullsock(sk);
	return !sk || is_own_of_kernel(sk);
}

/* A packet that takes the long way. `admitted`: its socket remembers an admission. */
static __noinline int packet_judge_parsed(struct __sk_buff *skb, const struct config *c,
					  const struct policy_config *p, struct socket_state *s,
					  bool admitted)
{
	struct record r = {.layer = LAYER_EGRESS};
	struct endpoint e = {};
	struct question q = {};
	struct decision d = {};

	endpoint_from_packet(&e, skb, 0);
	if (admitted && e.shape == SHAPE_OK && remembered(s, &e, p->generation)) {
		if (s->counted)
			traffic_note_remembered(&e, s);
		return 1;
	}
	if (s && s->known && e.shape == SHAPE_OK && to_proxy(&e, c)) {
		owner_publish(&e, s, c);
		return 1;
	}
	if (c->mode == MODE_NOTING) {
		if (s && e.shape == SHAPE_OK) {
			s->existing = 1;
			s->noted = e.dst;
			s->noted_port = e.dport;
		}
		return 1;
	}
	q.dst = e.dst;
	q.port = e.dport;
	q.proto = e.proto;
	q.scope = s && s->known ? s->scope : SCOPE_EVERYONE;
	if (s)
		learn_netns(skb, s);
	q.other_netns = s && s->netns && s->netns != c->host_netns;
	r.processless = is_processless(skb, s);
	if (!packet_decide(&e, s, &q, &d, &r))
		return 0;
	/* what other namespaces send may be no traffic of the machine's at all, and is counted where it leaves */
	if (s)
		s->counted = s->netns == c->host_netns;
	if (s && s->counted)
		traffic_note(&e, s, &d, ORIGIN_UNKNOWN);
	return 1;
}

static __always_inline int packet_judge_socket(struct __sk_buff *skb)
{
	const struct config *c = config_get();
	const struct policy_config *p = policy_get();
	struct socket_state *s;
	bool raw = false, admitted;
	__s32 payload = 0;

	if (!c || !p)
		return 1;
	s = packet_socket(skb, true, &raw);
	/* only an admission is remembered: a refusal ends with the grant that comes later */
	admitted = s && s->verdict == VERDICT_ALLOW && c->mode != MODE_NOTING && !raw;
	if (admitted && remembered_plainly(skb, s, p->generation, &payload)) {
		traffic_gather(s, payload);
		return 1;
	}
	return packet_judge_parsed(skb, c, p, s, admitted);
}

#endif /* CARGOWALL_PACKET_BPF_H */
