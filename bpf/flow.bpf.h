/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Records: reserve, fill, submit, and count what finds no room. */
#ifndef CARGOWALL_FLOW_BPF_H
#define CARGOWALL_FLOW_BPF_H

#include "config.bpf.h"
#include "endpoint.bpf.h"
#include "repeat.bpf.h"
#include "verdict.bpf.h"

struct record {
	unsigned char layer;
	unsigned char mid_stream;
	unsigned char forwarded; /* came in by another interface */
	unsigned char inbound; /* answers a connection from outside to a service outside the guarded cgroup */
	unsigned char processless; /* nothing says that a process or another machine made it */
	unsigned short ethertype;
	unsigned int ifindex;
};

static __always_inline void flow_addresses(struct blocked_event *f, const struct endpoint *e)
{
	__u32 be;

	if (address_is_v4(&e->dst)) {
		f->ip_version = 4;
		__builtin_memcpy(&be, e->dst.b + 12, 4);
		f->dst_ip = bpf_ntohl(be);
		__builtin_memcpy(&be, e->src.b + 12, 4);
		f->src_ip = bpf_ntohl(be);
	} else {
		f->ip_version = 6;
		__builtin_memcpy(f->src_ip6, e->src.b, 16);
		__builtin_memcpy(f->dst_ip6, e->dst.b, 16);
	}
	f->ip_proto = e->proto;
	if (e->proto == IPPROTO_TCP || e->proto == IPPROTO_UDP) {
		f->src_port = e->sport;
		f->dst_port = e->dport;
	} else {
		f->dst_port = e->proto;
	}
}

/* What comes in by another interface is of another namespace. */
static __always_inline __u32 origin_without_socket(const struct record *r, const struct decision *d)
{
	if (d->by == BY_INBOUND)
		return ORIGIN_SYSTEM;
	return r->forwarded ? ORIGIN_CONTAINER : ORIGIN_UNKNOWN;
}

static __always_inline int flow_owner(struct event *v, const struct socket_state *s)
{
	if (!s || !v)
		return 0;
	v->flow.pid = s->pid;
	v->ext.uid = s->uid;
	v->ext.origin = s->origin;
	v->ext.scope = s->scope;
	v->ext.cgroup = s->cgroup;
	v->ext.netns = s->netns;
	v->ext.socket = s->cookie;
	__builtin_memcpy(v->ext.comm, s->comm, COMM_SIZE);
	v->ext.start_ns = s->start_ns;
	v->ext.execs = s->execs;
	return 0;
}

static __always_inline void flow_fill(struct event *v, const struct endpoint *e, const struct decision *d,
				      const struct record *r, const struct config *c)
{
	v->flow.allowed = d->verdict;
	v->flow.pad1 = r->mid_stream ? EVENT_MID_STREAM : 0;
	if (d->by == BY_NOT_IP || d->by == BY_SOCKET) {
		v->flow.ip_version = 4;
		v->flow.ip_proto = 255;
		v->flow.dst_port = 255;
	} else {
		flow_addresses(&v->flow, e);
	}
	v->flow.timestamp = bpf_ktime_get_ns();
	v->ext.size = sizeof(v->ext);
	v->ext.by = d->by;
	v->ext.layer = r->layer;
	v->ext.mode = c->mode;
	v->ext.rule = d->rule;
	v->ext.name = d->name;
	v->ext.ifindex = r->ifindex;
	v->ext.ethertype = r->ethertype;
	v->ext.count = 1;
	/* its socket, if any, says more */
	v->ext.origin = origin_without_socket(r, d);
}

int flow_emit(const struct endpoint *e, const struct decision *d, const struct socket_state *s,
	      const struct record *r);

/*
 * One record. A block wakes the reader; an allowed flow is drained by its timer (waking it per
 * flow costs a fifth of the connect rate). No room: held or counted, the verdict is not affected.
 */
__noinline int flow_emit(const struct endpoint *e, const struct decision *d, const struct socket_state *s,
			 const struct record *r)
{
	const struct config *c = config_get();
	struct repeat_value *again;
	struct event *v;

	if (!c || !e || !d || !r || c->mode == MODE_NOTING)
		return 0;
	again = repeat_of(e, d, s, r->layer);
	if (again && !again->sample.ext.version) {
		flow_fill(&again->sample, e, d, r, c);
		flow_owner(&again->sample, s);
		if (again->beyond) {
			again->sample.flow.dst_ip = 0;
			again->sample.flow.dst_port = 0;
			__builtin_memset(again->sample.flow.dst_ip6, 0, ADDRESS_SIZE);
			again->sample.ext.rule = 0;
		}
		barrier();
		again->sample.ext.version = ABI_VERSION;
	}
	if (again && !repeat_is_told(again)) {
		repeat_hold(again);
		return 0;
	}
	v = bpf_ringbuf_reserve(&events, sizeof(*v), 0);
	if (!v) {
		if (again)
			repeat_hold(again);
		else
			count(COUNTER_EVENTS_LOST);
		return 0;
	}
	__builtin_memset(v, 0, sizeof(*v));
	flow_fill(v, e, d, r, c);
	v->ext.version = ABI_VERSION;
	flow_owner(v, s);
	bpf_ringbuf_submit(v, d->verdict == VERDICT_ALLOW ? BPF_RB_NO_WAKEUP : 0);
	return 0;
}

#endif /* CARGOWALL_FLOW_BPF_H */
