/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Socket calls: the verdict and the refusal at once, the steering of DNS and its way back. */
#ifndef CARGOWALL_CALL_BPF_H
#define CARGOWALL_CALL_BPF_H

#include "flow.bpf.h"
#include "owner.bpf.h"
#include "steer.bpf.h"
#include "traffic.bpf.h"

static __always_inline void call_write_destination(struct bpf_sock_addr *ctx, const struct address *to,
						   __u16 port, bool v6)
{
	const __u32 *w = (const __u32 *)to->b;

	if (v6) {
		ctx->user_ip6[0] = w[0];
		ctx->user_ip6[1] = w[1];
		ctx->user_ip6[2] = w[2];
		ctx->user_ip6[3] = w[3];
	} else {
		ctx->user_ip4 = w[3];
	}
	ctx->user_port = bpf_htons(port);
}

/* `e`: the packet it holds for; a call (NULL) does not say from where it will send. */
static __always_inline void call_remember(struct socket_state *s, const struct question *q,
					  const struct decision *d, __u32 generation,
					  const struct endpoint *e)
{
	if (s->untold)
		traffic_tell(s); /* of the peer so far */
	if (e)
		s->from = e->src;
	else
		__builtin_memset(&s->from, 0, sizeof(s->from));
	s->peer = q->dst;
	s->peer_port = q->port;
	s->peer_proto = q->proto;
	s->verdict = d->verdict;
	s->by = d->by;
	s->rule = d->rule;
	s->name = d->name;
	s->generation = generation;
}

/* Whether the socket was seen sending to this peer before the flip. */
static __always_inline bool is_noted(const struct socket_state *s, const struct question *q)
{
	return s->existing && s->noted_port == q->port && address_equal(&s->noted, &q->dst);
}

/*
 * Whether a datagram socket sends by one interface (IP_UNICAST_IF, IPV6_UNICAST_IF), as systemd-resolved
 * asks its servers: loopback is out of its reach then.
 */
static __always_inline bool sends_by_interface(struct bpf_sock *sk, bool v6)
{
	struct sock_head *head = sk->type == SOCK_DGRAM ? sock_head_of(sk) : 0;
	struct inet_sock *inet = (struct inet_sock *)head;

	if (!head ||
	    bpf_core_field_offset(struct inet_sock, uc_index) + sizeof(inet->uc_index) > sizeof(*head))
		return false;
	return v6 ? BPF_CORE_READ(inet, pinet6, ucast_oif) : inet->uc_index;
}

static __always_inline int call_judge(struct bpf_sock_addr *ctx, __u8 layer, bool v6)
{
	const struct config *c = config_get();
	const struct policy_config *p = policy_get();
	struct endpoint e = {};
	struct question q = {};
	struct decision d = {};
	struct socket_state *s = 0;
	struct address to = {};
	enum steer how;
	__u64 netns;
	__u16 port = 0;
	bool far;

	if (!c || !p)
		return 1;
	if (v6)
		endpoint_from_call6(&e, ctx);
	else
		endpoint_from_call4(&e, ctx);
	netns = bpf_get_netns_cookie(ctx);
	if (ctx->sk)
		s = bpf_sk_storage_get(&sockets, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!s) {
		count(COUNTER_SOCKETS_FULL);
		return passes(c, VERDICT_DENY, BY_DEFAULT);
	}
	if (s->untold && s->pid != bpf_get_current_pid_tgid() >> 32)
		traffic_tell(s); /* of the process so far */
	owner_fill(s, c, netns, bpf_get_socket_cookie(ctx));
	e.other_netns = netns != c->host_netns;
	q.dst = e.dst;
	q.port = e.dport;
	q.proto = e.proto;
	q.scope = s->scope;
	q.other_netns = e.other_netns;
	verdict_for(&q, &d);
	how = steer_for(&q, c, &d);
	far = how != STEER_NOT && ctx->sk &&
	      (q.other_netns || ctx->sk->bound_dev_if > LOOPBACK_IFINDEX ||
	       sends_by_interface(ctx->sk, v6 && !address_is_v4(&q.dst)));
	if (how != STEER_NOT && steer_target(&to, &port, how, far, c, v6 && !address_is_v4(&q.dst))) {
		s->asked = e.dst;
		s->asked_port = e.dport;
		s->generation = 0;
		count(COUNTER_STEERED);
		call_write_destination(ctx, &to, port, v6);
		return 1;
	}
	/* a connected v4-mapped datagram socket names its steered peer again with each send */
	if (!to_proxy(&e, c))
		s->asked_port = 0;
	if (layer == LAYER_CONNECT && e.proto != IPPROTO_TCP)
		return 1; /* connect() of a datagram socket sends nothing */
	if (layer == LAYER_SENDMSG && d.by == BY_DEFAULT && !p->refuse_existing && is_noted(s, &q))
		return 1; /* a datagram flow open before the flip */
	if (c->mode == MODE_NOTING || d.by == BY_LOCAL || d.verdict == VERDICT_ALLOW)
		return 1; /* an allowed flow is recorded by its first packet */
	count(COUNTER_CONNECT_DENIED);
	{
		struct record r = {.layer = layer};

		flow_emit(&e, &d, s, &r);
	}
	call_remember(s, &q, &d, p->generation, 0);
	if (!passes(c, VERDICT_DENY, d.by))
		return 0;
	/* audit: the packet that follows is this attempt, not another */
	s->tried = e.dst;
	s->tried_port = e.proto == IPPROTO_TCP || e.proto == IPPROTO_UDP ? e.dport : 0;
	return 1;
}

/* What the client meant, wherever it can see where it really went. */
static __always_inline int call_unsteer(struct bpf_sock_addr *ctx, bool v6)
{
	const struct config *c = config_get();
	struct socket_state *s;

	if (!c || !ctx->sk)
		return 1;
	s = bpf_sk_storage_get(&sockets, ctx->sk, 0, 0);
	if (!s || !s->asked_port)
		return 1;
	if (ctx->user_port != bpf_htons(c->proxy_port) && ctx->user_port != bpf_htons(c->canary_port))
		return 1;
	call_write_destination(ctx, &s->asked, s->asked_port, v6);
	return 1;
}

static __always_inline int call_born(struct bpf_sock *ctx)
{
	const struct config *c = config_get();
	struct socket_state *s;

	if (!c)
		return 1;
	s = bpf_sk_storage_get(&sockets, ctx, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!s) {
		count(COUNTER_SOCKETS_FULL);
		return 1;
	}
	owner_fill(s, c, bpf_get_netns_cookie(ctx), bpf_get_socket_cookie(ctx));
	s->late = c->mode != MODE_NOTING;
	return 1;
}

/* The socket of a process is closed; what waits in it is sent all the same. */
static __always_inline int call_released(struct bpf_sock *ctx)
{
	struct socket_state *s = bpf_sk_storage_get(&sockets, ctx, 0, 0);

	if (!s)
		return 1;
	s->released = 1;
	barrier();
	traffic_tell(s);
	return 1;
}

#endif /* CARGOWALL_CALL_BPF_H */
