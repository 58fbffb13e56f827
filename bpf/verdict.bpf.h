/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * verdict_for(): the only place a verdict is made. The order is spec 5, 7 and 10; its
 * reference in TypeScript is src/core/policy/decide.ts, compared over shared vectors.
 */
#ifndef CARGOWALL_VERDICT_BPF_H
#define CARGOWALL_VERDICT_BPF_H

#include "config.bpf.h"
#include "endpoint.bpf.h"

struct decision {
	unsigned int rule;
	unsigned int name;
	unsigned char verdict;
	unsigned char by;
	unsigned char prefixlen; /* of the deciding rule */
	unsigned char exact; /* the rule names the port */
};

struct question {
	struct address dst;
	unsigned int scope;
	unsigned short port;
	unsigned char proto;
	unsigned char other_netns;
};

int rule_for(const struct question *q, struct decision *best, __u32 scope, __u32 kind);
int grant_for(const struct question *q, struct decision *d, __u32 scope, __u32 kind, __u64 now);
int verdict_for(const struct question *q, struct decision *d);

static __always_inline void rule_take(struct decision *best, const struct rule_key *k, bool exact)
{
	const struct rule_value *v = bpf_map_lookup_elem(&rules, k);

	if (!v)
		return;
	if (best->by && (v->prefixlen < best->prefixlen ||
			 (v->prefixlen == best->prefixlen && v->verdict == VERDICT_ALLOW)))
		return;
	best->by = BY_RULE;
	best->rule = v->rule;
	best->verdict = v->verdict;
	best->prefixlen = v->prefixlen;
	best->exact = exact;
}

/* The longest prefix that covers (proto, port) in a scope, deny at equal length. */
__noinline int rule_for(const struct question *q, struct decision *best, __u32 scope, __u32 kind)
{
	struct rule_key k = {};

	if (!q || !best)
		return 0;
	k.prefixlen = 64 + 128;
	k.scope = scope;
	k.kind = kind;
	k.addr = q->dst;
	k.proto = q->proto;
	k.port = q->port;
	rule_take(best, &k, true);
	if (q->port) {
		k.port = 0;
		rule_take(best, &k, false);
	}
	k.proto = 0;
	k.port = 0;
	rule_take(best, &k, false);
	return best->by;
}

/* A live grant (or denial); an exact entry decides alone, only then is a wider one asked. */
__noinline int grant_for(const struct question *q, struct decision *d, __u32 scope, __u32 kind, __u64 now)
{
	struct grant_key k = {};
	const struct grant_value *v;

	if (!q || !d)
		return 0;
	k.scope = scope;
	k.kind = kind;
	k.addr = q->dst;
	k.proto = q->proto;
	k.port = q->port;
	v = bpf_map_lookup_elem(&grants, &k);
	if (!v) {
		k.port = 0;
		v = bpf_map_lookup_elem(&grants, &k);
	}
	if (!v && kind == KIND_DENIAL) {
		k.proto = 0;
		v = bpf_map_lookup_elem(&grants, &k);
	}
	if (!v || v->expires_ns <= now)
		return 0;
	d->rule = v->rule;
	d->name = v->name;
	return 1;
}

static __always_inline int decided(struct decision *d, __u8 verdict, __u8 by)
{
	d->verdict = verdict;
	d->by = by;
	return verdict;
}

/* Grants in a scope's own order, user's before auto-allowed ones. */
static __always_inline bool granted(const struct question *q, struct decision *d, __u32 kind, __u64 now)
{
	if (q->scope >= SCOPE_STEP_FIRST && grant_for(q, d, q->scope, kind, now))
		return true;
	return grant_for(q, d, SCOPE_EVERYONE, kind, now);
}

/* Whether the destination stays on the machine; its prefix length, or -1. */
static __always_inline int local_prefix(const struct question *q)
{
	struct local_key k = {.prefixlen = 128, .addr = q->dst};
	const struct local_value *v;

	if (address_is_unspecified(&q->dst) || address_is_loopback(&q->dst))
		return address_is_v4(&q->dst) && q->dst.b[12] ? 104 : 128;
	if (address_is_platform(&q->dst))
		return -1;
	v = bpf_map_lookup_elem(&locals, &k);
	return v ? (int)v->prefixlen : -1;
}

static __always_inline bool is_stream_or_datagram(const struct question *q)
{
	return q->proto == IPPROTO_TCP || q->proto == IPPROTO_UDP;
}

/* Port 53 outside local prefixes: a single address with the port, or the runner's way out. */
static __always_inline int verdict_for_port_53(const struct question *q, struct decision *d,
					       const struct decision *user)
{
	struct resolver_key k = {.addr = q->dst};

	if (user->by && user->verdict && user->prefixlen == 128 && user->exact &&
	    !bpf_map_lookup_elem(&resolvers, &k)) {
		d->rule = user->rule;
		return decided(d, VERDICT_ALLOW, BY_RULE);
	}
	return decided(d, VERDICT_DENY, BY_PORT_53);
}

/* TCP, UDP, and the ICMP of the address's own family. */
static __always_inline bool is_known_protocol(const struct question *q)
{
	if (address_is_v4(&q->dst))
		return is_stream_or_datagram(q) || q->proto == IPPROTO_ICMP;
	return is_stream_or_datagram(q) || q->proto == IPPROTO_ICMPV6;
}

/* Where port 53 of runner processes goes while the daemon is gone. */
static __always_inline bool is_way_out(const struct question *q, const struct config *c,
				       const struct policy_config *p)
{
	return q->scope == SCOPE_RUNNER && is_stream_or_datagram(q) && p->upstream_port &&
	       q->port == p->upstream_port && address_equal(&q->dst, &p->upstream) && daemon_gone(c);
}

/* Not static: the kernel then verifies it once, not once for every way that leads to it. */
__noinline int verdict_for(const struct question *q, struct decision *d)
{
	const struct config *c = config_get();
	const struct policy_config *p = policy_get();
	__u64 now = bpf_ktime_get_ns();
	struct decision user = {};
	int local, proof;

	if (!q || !d)
		return VERDICT_DENY;
	local = local_prefix(q);
	__builtin_memset(d, 0, sizeof(*d));
	if (!c || !p)
		return decided(d, VERDICT_DENY, BY_DEFAULT);
	if (q->scope == SCOPE_DAEMON) {
		rule_for(q, &user, SCOPE_DAEMON, KIND_AUTO);
		if (user.by && user.verdict)
			return decided(d, VERDICT_ALLOW, BY_DAEMON);
		if (local < 0 && grant_for(q, d, SCOPE_DAEMON, KIND_AUTO, now))
			return decided(d, VERDICT_ALLOW, BY_AUTO_GRANT);
		return local < 0 ? decided(d, VERDICT_DENY, BY_DAEMON) : decided(d, VERDICT_ALLOW, BY_LOCAL);
	}
	proof = proof_number(&q->dst);
	if (proof) {
		bool canary = proof == 3 && q->proto == IPPROTO_TCP && granted(q, d, KIND_USER, now);

		return decided(d, canary ? VERDICT_ALLOW : VERDICT_DENY, BY_PROOF);
	}
	rule_for(q, &user, SCOPE_EVERYONE, KIND_USER);
	if (local >= 0 && !(user.by && !user.verdict && user.prefixlen >= local))
		return decided(d, VERDICT_ALLOW, BY_LOCAL);
	if (local < 0 && q->other_netns && address_is_private(&q->dst)) {
		if (!(user.by && !user.verdict))
			return decided(d, VERDICT_ALLOW, BY_LOCAL);
		local = 0; /* another namespace's own network, denied by a rule */
	}
	if (is_way_out(q, c, p))
		return decided(d, VERDICT_ALLOW, BY_DAEMON);
	if (q->port == 53 && local < 0 && is_stream_or_datagram(q))
		return verdict_for_port_53(q, d, &user);
	if (!is_known_protocol(q))
		return decided(d, VERDICT_DENY, BY_PROTOCOL);
	if (q->scope == SCOPE_RUNNER && grant_for(q, d, SCOPE_RUNNER, KIND_RUNNER, daemon_gone(c) ? 0 : now))
		return decided(d, VERDICT_ALLOW, BY_RUNNER_GRANT);
	if (user.by) {
		d->rule = user.rule;
		return decided(d, user.verdict, BY_RULE);
	}
	if (granted(q, d, KIND_DENIAL, now))
		return decided(d, VERDICT_DENY, BY_DENIAL);
	if (granted(q, d, KIND_USER, now))
		return decided(d, VERDICT_ALLOW, BY_GRANT);
	if ((q->scope == SCOPE_RUNNER || q->scope == SCOPE_PLATFORM || q->scope == SCOPE_LEASE) &&
	    rule_for(q, &user, q->scope, KIND_AUTO)) {
		d->rule = user.rule;
		return decided(d, user.verdict, BY_AUTO_RULE);
	}
	if (granted(q, d, KIND_AUTO, now))
		return decided(d, VERDICT_ALLOW, BY_AUTO_GRANT);
	return decided(d, p->default_verdict ? VERDICT_ALLOW : VERDICT_DENY, BY_DEFAULT);
}

#endif /* CARGOWALL_VERDICT_BPF_H */
