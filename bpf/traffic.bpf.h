/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Bytes sent, by destination. A socket's are gathered in its storage and told (added to the traffic map)
 * by the 64 KiB, when its peer changes, when it is released, and when the loader asks; all other packets
 * are told one by one. Counted once: sockets of the machine's own network namespace by the
 * cgroup layer, all else at the wall.
 */
#ifndef CARGOWALL_TRAFFIC_BPF_H
#define CARGOWALL_TRAFFIC_BPF_H

#include "config.bpf.h"
#include "endpoint.bpf.h"
#include "verdict.bpf.h"

#define TOLD_FROM (64 * 1024)
#define IPV4_UDP 28 /* headers of a plain packet */
#define IPV6_UDP 48

int traffic_tell(struct socket_state *s);
int traffic_note(const struct endpoint *e, const struct socket_state *s, const struct decision *d,
		 __u32 origin);

static __always_inline void traffic_add(const struct traffic_key *k, __u64 bytes)
{
	static const struct traffic_value none;
	struct traffic_value *v = bpf_map_lookup_elem(&traffic, k);

	if (!v) {
		bpf_map_update_elem(&traffic, k, &none, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&traffic, k);
	}
	if (v)
		__sync_fetch_and_add(&v->bytes, bytes);
	else
		count_more(COUNTER_BYTES_UNTOLD, bytes);
}

/* Tells what a socket has sent to its peer; always 0. Not static: verified once. */
__noinline int traffic_tell(struct socket_state *s)
{
	struct traffic_key k = {};
	__u64 bytes;

	if (!s)
		return 0;
	bytes = __sync_lock_test_and_set(&s->untold, 0);
	if (!bytes)
		return 0;
	k.dst = s->peer;
	k.rule = s->rule;
	k.name = s->name;
	k.port = s->peer_port;
	k.proto = s->peer_proto;
	k.origin = s->origin;
	k.by = s->by;
	k.verdict = s->verdict;
	__builtin_memcpy(k.comm, s->comm, COMM_SIZE);
	traffic_add(&k, bytes);
	return 0;
}

/*
 * Tells the bytes of one packet that has passed, whose decision is at hand; what stays on the machine and
 * what the kernel makes itself has none. `origin` where no socket says more. Always 0.
 */
__noinline int traffic_note(const struct endpoint *e, const struct socket_state *s, const struct decision *d,
			    __u32 origin)
{
	struct traffic_key k = {};

	if (!e || !d || !e->payload || d->by == BY_LOCAL || d->by == BY_KERNEL)
		return 0;
	k.dst = e->dst;
	k.rule = d->rule;
	k.name = d->name;
	/* who is connected chooses a port for each connection: it must not fill the map */
	k.port = d->by == BY_INBOUND ? 0 : e->dport;
	k.proto = e->proto;
	k.origin = origin;
	k.by = d->by;
	k.verdict = d->verdict;
	if (s && s->known) {
		k.origin = s->origin;
		__builtin_memcpy(k.comm, s->comm, COMM_SIZE);
	}
	traffic_add(&k, e->payload);
	return 0;
}

/* traffic_note() of a packet whose decision its socket remembers. */
static __always_inline void traffic_note_remembered(const struct endpoint *e, const struct socket_state *s)
{
	struct decision d = {.rule = s->rule, .name = s->name, .verdict = s->verdict, .by = s->by};

	traffic_note(e, s, &d, ORIGIN_UNKNOWN);
}

/* Gathers bytes sent to the peer a socket remembers. Threads may send at once. */
static __always_inline void traffic_gather(struct socket_state *s, __s32 bytes)
{
	if (bytes <= 0 || !s->counted || s->by == BY_LOCAL)
		return;
	__sync_fetch_and_add(&s->untold, (__u64)bytes);
	if (s->untold >= TOLD_FROM || s->released)
		traffic_tell(s);
}

static __always_inline int traffic_visit(struct socket_visit *ctx)
{
	struct socket_state *s = ctx->sk ? bpf_sk_storage_get(&sockets, ctx->sk, 0, 0) : 0;

	if (s)
		traffic_tell(s);
	return 0;
}

#endif /* CARGOWALL_TRAFFIC_BPF_H */
