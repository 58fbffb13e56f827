/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Port 53 to the proxy, and back: what is steered and what is not is spec 7. */
#ifndef CARGOWALL_STEER_BPF_H
#define CARGOWALL_STEER_BPF_H

#include "verdict.bpf.h"

enum steer {
	STEER_NOT = 0,
	STEER_PROXY = 1,
	STEER_CANARY = 2,
	STEER_UPSTREAM = 3,
};

static __always_inline enum steer steer_for(const struct question *q, const struct config *c,
					    const struct decision *d)
{
	struct resolver_key rk = {.addr = q->dst};

	if (q->scope == SCOPE_DAEMON)
		return STEER_NOT;
	if (d->by == BY_PROOF && d->verdict == VERDICT_ALLOW)
		return STEER_CANARY;
	if (q->port != 53 || (q->proto != IPPROTO_UDP && q->proto != IPPROTO_TCP))
		return STEER_NOT;
	if (!bpf_map_lookup_elem(&resolvers, &rk)) {
		/* a rule for the single address and port 53, or a deny inside a local prefix; a local
		 * server, another namespace's own loopback (an embedded resolver) or network; the
		 * runner's way out. An address in a resolver configuration is steered whatever the
		 * rules say */
		if (d->by == BY_RULE || d->by == BY_LOCAL || d->by == BY_DAEMON)
			return STEER_NOT;
	}
	if (q->scope == SCOPE_RUNNER && daemon_gone(c))
		return STEER_UPSTREAM;
	return STEER_PROXY;
}

/*
 * Where a steered call goes; false: no address the socket can reach. `far`: loopback is out of
 * reach, for a socket of another namespace or one bound to a device.
 */
static __always_inline bool steer_target(struct address *to, __u16 *port, enum steer how, bool far,
					 const struct config *c, bool v6)
{
	const struct policy_config *p = policy_get();

	if (how == STEER_UPSTREAM) {
		if (!p || address_is_zero(&p->upstream))
			return false;
		*to = p->upstream;
		*port = p->upstream_port;
		return address_is_v4(to) == !v6;
	}
	*port = how == STEER_CANARY ? c->canary_port : c->proxy_port;
	if (how == STEER_CANARY)
		*to = c->proxy4;
	else if (v6)
		*to = far ? c->far6 : c->proxy6;
	else
		*to = far ? c->far4 : c->proxy4;
	return !address_is_zero(to);
}

/* Whether a packet is on its way to the proxy. */
static __always_inline bool to_proxy(const struct endpoint *e, const struct config *c)
{
	return e->dport == c->proxy_port &&
	       (address_equal(&e->dst, &c->proxy4) || address_equal(&e->dst, &c->proxy6) ||
		address_equal(&e->dst, &c->far4) || address_equal(&e->dst, &c->far6));
}

#endif /* CARGOWALL_STEER_BPF_H */
