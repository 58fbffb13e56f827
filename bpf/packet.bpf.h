/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Packets and frames: the verdict for everything that has a socket, and the wall behind it. */
#ifndef CARGOWALL_PACKET_BPF_H
#define CARGOWALL_PACKET_BPF_H

#include "call.bpf.h"
#include "flow.bpf.h"
#include "steer.bpf.h"

static __always_inline void flow_key_of(struct flow_key *k, const struct endpoint *e)
{
	k->src = e->src;
	k->dst = e->dst;
	k->sport = e->sport;
	k->dport = e->dport;
	k->proto = e->proto;
}

/* Whether the kernel itself makes this packet: exact types, and no process behind it. */
static __always_inline bool made_by_kernel(const struct endpoint *e, const struct socket_state *s)
{
	if (s && s->known)
		return false;
	if (e->proto == IPPROTO_ICMPV6) /* errors, MLD, NDP (RFC 4443, 2710, 3810, 4861) */
		return (e->icmp_type >= 1 && e->icmp_type <= 4) ||
		       (e->icmp_type >= 129 && e->icmp_type <= 137) || e->icmp_type == 143;
	if (e->proto == IPPROTO_ICMP) /* echo reply, errors (RFC 792) */
		return e->icmp_type == 0 || e->icmp_type == 3 || e->icmp_type == 11 ||
		       e->icmp_type == 12;
	if (e->proto == 2) /* IGMP */
		return true;
	/* a reset without a socket carries nothing */
	return e->proto == IPPROTO_TCP && (e->tcp_flags & TCP_RST) && !e->carries;
}

/* The verdict of this very (peer, port, protocol), if the socket remembers it. */
static __always_inline bool remembered(const struct socket_state *s, const struct endpoint *e,
				       __u32 generation)
{
	return s && s->generation == generation && s->peer_port == e->dport &&
	       s->peer_proto == e->proto && address_equal(&s->peer, &e->dst);
}

/* A flow open before the flip; the runner's own go on whatever the rules say. */
static __always_inline void admit_existing(struct decision *d, const struct flow_key *k,
					   const struct socket_state *s, const struct endpoint *e)
{
	const struct flow_value *v = bpf_map_lookup_elem(&existing, k);

	if (d->verdict == VERDICT_ALLOW)
		return;
	if (v && v->scope == SCOPE_RUNNER) {
		decided(d, VERDICT_ALLOW, BY_EXISTING);
		return;
	}
	if (d->by != BY_DEFAULT)
		return;
	if (v || (s && s->existing && s->peer_port == e->dport && address_equal(&s->peer, &e->dst)))
		decided(d, VERDICT_ALLOW, BY_EXISTING);
}

/* True the first time a flow is seen, or after it was idle: one record a flow. */
static __always_inline bool flow_is_new(const struct flow_key *k, const struct decision *d,
					const struct policy_config *p, __u16 scope)
{
	struct flow_value *v = bpf_map_lookup_elem(&flows, k);
	struct flow_value fresh = {};
	__u64 now = bpf_ktime_get_ns();

	if (v && v->generation == p->generation && v->verdict == d->verdict &&
	    now - v->last_ns < p->flow_idle_ns) {
		v->last_ns = now;
		return false;
	}
	fresh.last_ns = now;
	fresh.generation = p->generation;
	fresh.rule = d->rule;
	fresh.name = d->name;
	fresh.verdict = d->verdict;
	fresh.by = d->by;
	fresh.scope = scope;
	if (bpf_map_update_elem(&flows, k, &fresh, BPF_ANY))
		count(COUNTER_FLOWS_FULL);
	return true;
}

static __always_inline void owner_publish(const struct endpoint *e, const struct socket_state *s)
{
	struct owner_key k = {.src = e->src, .port = e->sport, .proto = e->proto};
	struct owner_value v = {};

	v.cgroup = s->cgroup;
	v.netns = s->netns;
	v.seen_ns = bpf_ktime_get_ns();
	if (s->asked_port) {
		v.asked = s->asked;
		v.asked_port = s->asked_port;
	}
	v.pid = s->pid;
	v.uid = s->uid;
	v.scope = s->scope;
	v.origin = s->origin;
	__builtin_memcpy(v.comm, s->comm, COMM_SIZE);
	if (bpf_map_update_elem(&owners, &k, &v, BPF_ANY))
		count(COUNTER_OWNERS_FULL);
}

static __always_inline struct socket_state *packet_socket(struct __sk_buff *skb, bool create)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	return bpf_sk_storage_get(&sockets, sk, 0, create ? BPF_SK_STORAGE_GET_F_CREATE : 0);
}

/* Decides a packet that no cache answers, and records it once. */
static __always_inline int packet_decide(const struct endpoint *e, struct socket_state *s,
					 struct question *q, struct record *r,
					 const struct policy_config *p)
{
	struct decision d = {};
	struct flow_key k = {};
	bool reported;

	verdict_for(q, &d);
	if (d.by == BY_LOCAL && r->layer == LAYER_TC)
		decided(&d, VERDICT_DENY, BY_SHAPE); /* a local destination never leaves by an uplink */
	if (d.by == BY_LOCAL) {
		if (s)
			call_remember(s, q, &d, p->generation);
		return 1;
	}
	if (d.by != BY_PROOF && made_by_kernel(e, s))
		return 1;
	flow_key_of(&k, e);
	if (e->shape == SHAPE_OK)
		admit_existing(&d, &k, s, e);
	else
		decided(&d, VERDICT_DENY, BY_SHAPE);
	if (s && e->shape == SHAPE_OK) {
		reported = s->tried_port == e->dport && address_equal(&s->tried, &e->dst);
		call_remember(s, q, &d, p->generation);
	} else {
		reported = false;
	}
	r->mid_stream = e->proto == IPPROTO_TCP && !(e->tcp_flags & TCP_SYN);
	if (!reported && q->scope != SCOPE_DAEMON && flow_is_new(&k, &d, p, q->scope))
		flow_emit(e, &d, s, r);
	return d.verdict == VERDICT_ALLOW;
}

static __always_inline int packet_judge_socket(struct __sk_buff *skb)
{
	const struct config *c = config_get();
	const struct policy_config *p = policy_get();
	struct record r = {.layer = LAYER_EGRESS};
	struct endpoint e = {};
	struct question q = {};
	struct socket_state *s;

	if (!c || !p)
		return 1;
	endpoint_from_packet(&e, skb, 0);
	s = packet_socket(skb, true);
	if (e.shape == SHAPE_OK && remembered(s, &e, p->generation) && c->mode != MODE_NOTING) {
		if (s->verdict != VERDICT_ALLOW)
			count(COUNTER_EGRESS_DENIED);
		return passes(c, s->verdict) ? 1 : 0;
	}
	if (s && s->known && e.shape == SHAPE_OK && to_proxy(&e, c)) {
		owner_publish(&e, s);
		return 1;
	}
	if (c->mode == MODE_NOTING) {
		if (s && e.shape == SHAPE_OK) {
			s->existing = 1;
			s->peer = e.dst;
			s->peer_port = e.dport;
		}
		return 1;
	}
	q.dst = e.dst;
	q.port = e.dport;
	q.proto = e.proto;
	q.scope = s && s->known ? s->scope : SCOPE_EVERYONE;
	q.other_netns = s && s->known && s->netns != c->host_netns;
	if (packet_decide(&e, s, &q, &r, p))
		return 1;
	count(COUNTER_EGRESS_DENIED);
	return passes(c, VERDICT_DENY) ? 1 : 0;
}

/* The network header behind Ethernet and at most two VLAN tags; 0: none we know. */
static __always_inline __u32 frame_network(struct __sk_buff *skb, __u16 *ethertype)
{
	__u16 type = 0;
	__u32 at = 12;
	int i;

	for (i = 0; i < 3; i++) {
		if (bpf_skb_load_bytes(skb, at, &type, 2))
			return 0;
		*ethertype = bpf_ntohs(type);
		if (*ethertype != ETH_P_8021Q && *ethertype != ETH_P_8021AD)
			return at + 2;
		at += 4;
	}
	return 0;
}

static __always_inline int frame_refuse(const struct endpoint *e, __u8 by, struct record *r,
					const struct config *c)
{
	struct decision d = {.by = by};

	count(COUNTER_TC_DENIED);
	flow_emit(e, &d, 0, r);
	return passes(c, VERDICT_DENY) ? TCX_NEXT_PROGRAM : TCX_DROP_FRAME;
}

static __always_inline int packet_judge_frame(struct __sk_buff *skb)
{
	const struct config *c = config_get();
	const struct policy_config *p = policy_get();
	struct record r = {.layer = LAYER_TC, .ifindex = skb->ifindex};
	struct endpoint e = {};
	struct question q = {};
	struct socket_state *s;
	__u32 at;

	if (!c || !p)
		return TCX_NEXT_PROGRAM;
	count(COUNTER_TC_SEEN);
	at = frame_network(skb, &r.ethertype);
	if (r.ethertype == ETH_P_ARP && at == 14)
		return TCX_NEXT_PROGRAM;
	if (!at || (r.ethertype != ETH_P_IP && r.ethertype != ETH_P_IPV6))
		return c->mode == MODE_NOTING ? TCX_NEXT_PROGRAM : frame_refuse(&e, BY_NOT_IP, &r, c);
	r.ethertype = 0;
	endpoint_from_packet(&e, skb, at);
	s = packet_socket(skb, false);
	if (e.shape == SHAPE_FRAGMENT && s && s->verdict == VERDICT_ALLOW && s->by != BY_LOCAL &&
	    s->generation == p->generation && address_equal(&s->peer, &e.dst))
		return TCX_NEXT_PROGRAM; /* the rest of a datagram whose head was admitted */
	if (e.shape == SHAPE_OK && remembered(s, &e, p->generation) && s->by != BY_LOCAL)
		return passes(c, s->verdict) ? TCX_NEXT_PROGRAM : TCX_DROP_FRAME;
	q.dst = e.dst;
	q.port = e.dport;
	q.proto = e.proto;
	q.scope = s && s->known ? s->scope : SCOPE_EVERYONE;
	if (bpf_skb_cgroup_id(skb) == c->daemon_cgroup)
		q.scope = SCOPE_DAEMON;
	if (proof_number(&e.dst))
		count(COUNTER_TC_PROOF);
	if (c->mode == MODE_NOTING) {
		struct flow_key k = {};
		struct flow_value v = {.last_ns = bpf_ktime_get_ns(), .by = BY_EXISTING};

		flow_key_of(&k, &e);
		if (!s && e.shape == SHAPE_OK)
			bpf_map_update_elem(&existing, &k, &v, BPF_NOEXIST);
		return TCX_NEXT_PROGRAM;
	}
	if (packet_decide(&e, s, &q, &r, p))
		return TCX_NEXT_PROGRAM;
	count(COUNTER_TC_DENIED);
	return passes(c, VERDICT_DENY) ? TCX_NEXT_PROGRAM : TCX_DROP_FRAME;
}

#endif /* CARGOWALL_PACKET_BPF_H */
