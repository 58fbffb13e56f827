/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Connections from outside to services of the machine outside the guarded cgroup (sshd, a web server): what
 * they answer passes where the policy says nothing. The listener is one the loader has found before the
 * flip; the kernel makes its SYN-ACK on the CPU that was handed the SYN; all that follows is of the one
 * socket that grows out of it, under the same addresses and ports. Such a socket begins no connection.
 */
#ifndef CARGOWALL_INBOUND_BPF_H
#define CARGOWALL_INBOUND_BPF_H

#include "admitted.bpf.h"
#include "answer.bpf.h"
#include "family.bpf.h"
#include "owner.bpf.h"

/* Whether a frame's socket, or its listener, was made in the guarded cgroup or below; also: nobody can say. */
static __always_inline bool is_made_guarded(struct __sk_buff *skb, const struct config *c)
{
	for (int level = 0; level < CGROUP_DEPTH; level++) {
		__u64 id = bpf_skb_ancestor_cgroup_id(skb, level);

		if (id == c->guarded_cgroup)
			return true;
		if (!id)
			return level == 0; /* below its own */
	}
	return true;
}

/* A connection that is asked for, and not accepted yet. */
static __always_inline bool is_request(struct bpf_sock *sk)
{
	return sk->state == BPF_TCP_NEW_SYN_RECV;
}

/* Whether one of the listeners the loader has found was asked. */
static __always_inline bool is_of_listener(struct bpf_sock *request)
{
	struct sock_head *head = sock_head_of(request);
	struct sock *listener;
	__u64 cookie;

	if (!head)
		return false;
	listener = ((struct sock *)head)->__sk_common.skc_listener;
	cookie = (__u64)BPF_CORE_READ(listener, __sk_common.skc_cookie.counter);
	return cookie && bpf_map_lookup_elem(&listeners, &cookie);
}

/* Whether what this CPU was handed last is whole and came by an uplink: what a SYN-ACK answers. */
static __always_inline bool is_asked_from_outside(const struct config *c)
{
	const struct arrival *a = arrival_from_outside(c);

	return a && !a->neighbour && !a->rest;
}

/* Whether a TCP segment is of a connection from outside to such a service. */
static __noinline bool inbound_admits(struct __sk_buff *skb, const struct endpoint *e, const struct config *c,
				      const struct policy_config *p)
{
	struct bpf_sock *sk = skb->sk;
	struct flow_key k = {};
	const struct flow_value *v;
	bool begins = e->tcp_flags & TCP_SYN;
	__u64 cookie;

	if (!sk || e->shape != SHAPE_OK || e->proto != IPPROTO_TCP || (begins && !is_request(sk)))
		return false;
	cookie = bpf_get_socket_cookie(skb);
	flow_key_of(&k, e);
	v = bpf_map_lookup_elem(&flows, &k);
	if (v && v->by == BY_INBOUND && v->verdict == VERDICT_ALLOW && v->generation == p->generation &&
	    v->socket == cookie && bpf_ktime_get_ns() - v->last_ns < p->flow_idle_ns)
		return true;
	if (!begins || !is_asked_from_outside(c) || !is_of_listener(sk) || is_made_guarded(skb, c))
		return false;
	bpf_map_delete_elem(&flows, &k); /* another connection of the same ports */
	return true;
}

/* The storage that will remember the decision; NULL: no socket yet, or no memory. */
static __always_inline struct socket_state *inbound_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct socket_state *s;

	sk = sk ? bpf_sk_fullsock(sk) : 0;
	s = sk ? bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE) : 0;
	if (s)
		s->cookie = bpf_get_socket_cookie(skb);
	return s;
}

/* The flow is this socket's: the one accepted later keeps the cookie of the request. */
static __always_inline void inbound_bind(struct __sk_buff *skb, const struct endpoint *e)
{
	struct flow_key k = {};
	struct flow_value *v;

	flow_key_of(&k, e);
	v = bpf_map_lookup_elem(&flows, &k);
	if (v && v->by == BY_INBOUND)
		v->socket = bpf_get_socket_cookie(skb);
}

#endif /* CARGOWALL_INBOUND_BPF_H */
