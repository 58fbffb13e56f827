/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Floods of refusals. What one process is refused at one destination is an event each time, up to
 * TOLD_A_SECOND; the rest is held as a number and told by one event a second. What it is refused at more
 * than FRESH_A_SECOND new destinations is held under the process alone. So a flood fills neither the ring
 * nor the log, and what the ring had no room for is told later instead of lost.
 */
#ifndef CARGOWALL_REPEAT_BPF_H
#define CARGOWALL_REPEAT_BPF_H

#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "verdict.bpf.h"

#define TOLD_A_SECOND 64
#define FRESH_A_SECOND 1024
#define SECOND_NS 1000000000ULL

/* Whether a process may have an entry for one more destination in this second. */
static __always_inline bool spread_allows(__u32 pid)
{
	struct spread_value *v = bpf_map_lookup_elem(&spreads, &pid);
	struct spread_value first = {.since_ns = bpf_ktime_get_ns(), .fresh = 1};

	if (!v) {
		bpf_map_update_elem(&spreads, &pid, &first, BPF_ANY);
		return true;
	}
	if (first.since_ns - v->since_ns >= SECOND_NS) {
		v->since_ns = first.since_ns;
		v->fresh = 0;
	}
	return __sync_fetch_and_add(&v->fresh, 1) < FRESH_A_SECOND;
}

/* The entry of a refusal; NULL when there is no room, or for what is rare and never held. */
static __always_inline struct repeat_value *repeat_of(const struct endpoint *e, const struct decision *d,
						      const struct socket_state *s, __u8 layer)
{
	static const struct repeat_value fresh;
	struct repeat_key k = {.dst = e->dst, .port = e->dport, .proto = e->proto};
	struct repeat_value *r;

	if (d->verdict == VERDICT_ALLOW || d->by == BY_PROOF || d->by == BY_NOT_IP)
		return 0;
	if (s) {
		k.who.start_ns = s->start_ns;
		k.who.pid = s->pid;
		k.who.execs = s->execs;
	}
	k.by = d->by;
	k.layer = layer;
	r = bpf_map_lookup_elem(&repeats, &k);
	if (r)
		return r;
	if (!spread_allows(k.who.pid)) {
		__builtin_memset(&k.dst, 0, sizeof(k.dst));
		k.port = 0;
	}
	bpf_map_update_elem(&repeats, &k, &fresh, BPF_NOEXIST);
	r = bpf_map_lookup_elem(&repeats, &k);
	if (r && !k.port && address_is_zero(&k.dst))
		r->beyond = 1;
	return r;
}

static __always_inline void repeat_hold(struct repeat_value *r)
{
	r->last_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&r->held, 1);
}

/* Whether this refusal is one of the first of its second. */
static __always_inline bool repeat_is_told(struct repeat_value *r)
{
	__u64 now = bpf_ktime_get_ns();

	if (r->beyond)
		return false;
	if (now - r->since_ns >= SECOND_NS) {
		r->since_ns = now;
		r->told = 0;
	}
	if (r->told >= TOLD_A_SECOND)
		return false;
	r->told++;
	return true;
}

/* Tells what is held of one entry; forgets the entry when it was quiet for two seconds. */
static long repeat_tell(void *map, const struct repeat_key *k, struct repeat_value *r, void *unused)
{
	__u64 now = bpf_ktime_get_ns();
	struct event *v;

	if (!r->held) {
		if (now - r->since_ns > 2 * SECOND_NS && now - r->last_ns > 2 * SECOND_NS)
			bpf_map_delete_elem(&repeats, k);
		return 0;
	}
	v = bpf_ringbuf_reserve(&events, sizeof(*v), 0);
	if (!v)
		return 1; /* no room now: it stays held */
	*v = r->sample;
	v->flow.timestamp = r->last_ns;
	v->ext.count = __sync_lock_test_and_set(&r->held, 0);
	bpf_ringbuf_submit(v, 0);
	return 0;
}

#endif /* CARGOWALL_REPEAT_BPF_H */
