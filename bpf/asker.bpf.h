/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Who sends to the proxy: names whose question it is. */
#ifndef CARGOWALL_ASKER_BPF_H
#define CARGOWALL_ASKER_BPF_H

#include "call.bpf.h"

/*
 * The owner of a port whatever its source: a container in a container is translated before it reaches the
 * proxy. Nobody's scope but everyone's; of two at a time with one port nobody is named.
 */
static __always_inline void owner_publish_any(struct owner_key *k, struct owner_value *v)
{
	const struct owner_value *other;

	__builtin_memset(&k->src, 0, sizeof(k->src));
	other = bpf_map_lookup_elem(&owners, k);
	if (other && other->socket != v->socket && v->seen_ns - other->seen_ns < OWNER_ANY_NS) {
		v->pid = 0;
		v->start_ns = 0;
		v->cgroup = 0;
		__builtin_memset(v->comm, 0, COMM_SIZE);
	}
	v->scope = SCOPE_EVERYONE;
	if (bpf_map_update_elem(&owners, k, v, BPF_ANY))
		count(COUNTER_OWNERS_FULL);
}

/*
 * Whether a source can be a socket's own: another namespace may have the machine's addresses too, or a
 * loopback; nothing it sends from there comes to the proxy, and its ports would stand for ours.
 */
static __always_inline bool source_is_its_own(const struct endpoint *e, const struct socket_state *s,
					      const struct config *c)
{
	struct local_key k = {.prefixlen = 128, .addr = e->src};
	const struct local_value *local;

	if (s->netns == c->host_netns)
		return true;
	local = bpf_map_lookup_elem(&locals, &k);
	return !address_is_loopback(&e->src) && !(local && local->flags & LOCAL_OWN);
}

static __noinline int owner_publish(const struct endpoint *e, const struct socket_state *s,
				    const struct config *c)
{
	struct owner_key k = {.src = e->src, .port = e->sport, .proto = e->proto};
	struct owner_value v = {};

	if (!source_is_its_own(e, s, c))
		return 0;
	v.cgroup = s->cgroup;
	v.netns = s->netns;
	v.socket = s->cookie;
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
	v.start_ns = s->start_ns;
	v.execs = s->execs;
	if (bpf_map_update_elem(&owners, &k, &v, BPF_ANY))
		count(COUNTER_OWNERS_FULL);
	if (s->netns != c->host_netns)
		owner_publish_any(&k, &v);
	return 0;
}

#endif /* CARGOWALL_ASKER_BPF_H */
