/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Flows that are known: told already, admitted once, or open before the flip. */
#ifndef CARGOWALL_ADMITTED_BPF_H
#define CARGOWALL_ADMITTED_BPF_H

#include "call.bpf.h"
#include "flow.bpf.h"

static __always_inline void flow_key_of(struct flow_key *k, const struct endpoint *e)
{
	k->src = e->src;
	k->dst = e->dst;
	k->sport = e->sport;
	k->dport = e->dport;
	k->proto = e->proto;
}

/* The verdict of this very (source, peer, port, protocol), if the socket remembers it. */
static __always_inline bool remembered(const struct socket_state *s, const struct endpoint *e,
				       __u32 generation)
{
	return s && s->generation == generation && s->peer_port == e->dport && s->peer_proto == e->proto &&
	       address_equal(&s->peer, &e->dst) && address_equal(&s->from, &e->src);
}

/*
 * The entry of a flow open before the flip, while it is this one: not of a socket made after; and of
 * datagrams without a socket, which have no end of their own, none that was idle.
 */
static __always_inline const struct flow_value *
flow_open_before(const struct flow_key *k, const struct socket_state *s, const struct policy_config *p)
{
	struct flow_value *v = bpf_map_lookup_elem(&existing, k);
	__u64 now = bpf_ktime_get_ns();

	if (!v || (s && s->late))
		return 0;
	if (s)
		return v;
	if (k->proto == IPPROTO_UDP && now - v->last_ns >= p->flow_idle_ns)
		return 0;
	v->last_ns = now;
	return v;
}

/* A flow open before the flip; the runner's own go on whatever the rules say. */
static __always_inline void admit_existing(struct decision *d, const struct flow_key *k,
					   const struct socket_state *s, const struct question *q,
					   const struct record *r, const struct policy_config *p)
{
	const struct flow_value *v;

	if (d->verdict == VERDICT_ALLOW)
		return;
	v = flow_open_before(k, s, p);
	/* the tuple of the runner's in the hands of another is another flow */
	if (v && v->scope == SCOPE_RUNNER && !r->forwarded && !(s && s->known && s->scope != SCOPE_RUNNER)) {
		decided(d, VERDICT_ALLOW, BY_EXISTING);
		return;
	}
	if (d->by != BY_DEFAULT || p->refuse_existing)
		return;
	if (v || (s && is_noted(s, q)))
		decided(d, VERDICT_ALLOW, BY_EXISTING);
}

/* Whether a flow may be this socket's: one of them is not known, or it is the one it was. */
static __always_inline bool is_flow_of(const struct flow_value *v, const struct socket_state *s)
{
	return !s || !s->cookie || !v->socket || v->socket == s->cookie;
}

/*
 * A flow goes on after the end of the grant that admitted it: its tuple, and no new connection. With
 * another socket, or by somebody of another scope, it is a new one; `processless` has neither.
 */
static __always_inline void admit_continued(struct decision *d, const struct flow_key *k,
					    const struct endpoint *e, const struct policy_config *p,
					    const struct socket_state *s, __u16 scope, bool processless)
{
	const struct flow_value *v;

	if (d->verdict == VERDICT_ALLOW || d->by != BY_DEFAULT)
		return;
	if (e->proto == IPPROTO_TCP && (e->tcp_flags & TCP_SYN))
		return;
	v = bpf_map_lookup_elem(&flows, k);
	if (!v || v->verdict != VERDICT_ALLOW || v->generation != p->generation ||
	    bpf_ktime_get_ns() - v->last_ns >= p->flow_idle_ns)
		return;
	if (!is_flow_of(v, s) || (v->scope != scope && !processless))
		return;
	if (v->by == BY_INBOUND && !processless)
		return; /* of that connection's socket alone (inbound.bpf.h) */
	if (v->by == BY_EXISTING && s && s->late)
		return;
	d->rule = v->rule;
	d->name = v->name;
	decided(d, VERDICT_ALLOW, v->by);
}

/* Whether a flow's record is written already, by this socket; it is alive as of now. */
static __always_inline bool flow_is_told(const struct flow_key *k, const struct decision *d,
					 const struct policy_config *p, const struct socket_state *s)
{
	struct flow_value *v = bpf_map_lookup_elem(&flows, k);
	__u64 now = bpf_ktime_get_ns();

	if (!v || v->generation != p->generation || v->verdict != d->verdict || !is_flow_of(v, s) ||
	    now - v->last_ns >= p->flow_idle_ns)
		return false;
	v->last_ns = now;
	return true;
}

/* True the first time a flow is seen, or after it was idle: one record a flow. */
static __always_inline bool flow_is_new(const struct flow_key *k, const struct decision *d,
					const struct policy_config *p, __u16 scope,
					const struct socket_state *s)
{
	struct flow_value fresh = {};

	if (flow_is_told(k, d, p, s))
		return false;
	fresh.socket = s ? s->cookie : 0;
	fresh.last_ns = bpf_ktime_get_ns();
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

/*
 * The key of a flow whatever its source: what another namespace sends is recorded inside, and may be
 * translated before the wall sees it. Its source address changes there, as a rule nothing else.
 */
static __always_inline void flow_key_of_any(struct flow_key *k, const struct endpoint *e)
{
	flow_key_of(k, e);
	__builtin_memset(&k->src, 0, sizeof(k->src));
}

#endif /* CARGOWALL_ADMITTED_BPF_H */
