/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Packets and frames: the verdict for everything that has a socket, and the wall behind it. */
#ifndef CARGOWALL_PACKET_BPF_H
#define CARGOWALL_PACKET_BPF_H

#include "answer.bpf.h"
#include "call.bpf.h"
#include "flow.bpf.h"
#include "steer.bpf.h"
#include "traffic.bpf.h"

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

/* A flow open before the flip; the runner's own go on whatever the rules say. */
static __always_inline void admit_existing(struct decision *d, const struct flow_key *k,
					   const struct socket_state *s, const struct question *q,
					   const struct record *r, const struct policy_config *p)
{
	const struct flow_value *v = bpf_map_lookup_elem(&existing, k);

	if (d->verdict == VERDICT_ALLOW)
		return;
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
		v->cgroup = 0;
		__builtin_memset(v->comm, 0, COMM_SIZE);
	}
	v->scope = SCOPE_EVERYONE;
	if (bpf_map_update_elem(&owners, k, v, BPF_ANY))
		count(COUNTER_OWNERS_FULL);
}

static __always_inline void owner_publish(const struct endpoint *e, const struct socket_state *s,
					  const struct config *c)
{
	struct owner_key k = {.src = e->src, .port = e->sport, .proto = e->proto};
	struct owner_value v = {};

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
	if (bpf_map_update_elem(&owners, &k, &v, BPF_ANY))
		count(COUNTER_OWNERS_FULL);
	if (s->netns != c->host_netns)
		owner_publish_any(&k, &v);
}

/* `raw`: the socket can write headers of its own, so nothing said of one packet holds for another. */
static __always_inline struct socket_state *packet_socket(struct __sk_buff *skb, bool create, bool *raw)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	*raw = sk->type == SOCK_RAW;
	return bpf_sk_storage_get(&sockets, sk, 0, create ? BPF_SK_STORAGE_GET_F_CREATE : 0);
}

/* A DHCP client's frame while the machine has no lease (RFC 2131 4.1). */
static __always_inline bool asks_for_lease(const struct endpoint *e)
{
	struct address everybody;

	address_from_v4(&everybody, 0xffffffff);
	return e->proto == IPPROTO_UDP && e->sport == 68 && e->dport == 67 && address_is_v4(&e->src) &&
	       address_is_unspecified(&e->src) && address_equal(&e->dst, &everybody);
}

/*
 * Whether a packet comes from an address of this machine or of a network behind it. A socket of
 * another namespace has addresses of its own, until its packets leave by an uplink.
 */
static __always_inline bool source_is_ours(const struct endpoint *e, const struct socket_state *s,
					   __u32 scope, const struct record *r, const struct config *c)
{
	struct local_key k = {.prefixlen = 128, .addr = e->src};

	if ((scope == SCOPE_PLATFORM || scope == SCOPE_LEASE) && asks_for_lease(e))
		return true;
	if (r->layer != LAYER_TC && !(s && s->known && s->netns == c->host_netns))
		return true;
	return !address_is_loopback(&e->src) && bpf_map_lookup_elem(&locals, &k);
}

/*
 * Decides a packet that no cache answers, and records it once. `processless`: nothing says that a
 * process or another machine made it. True: it passes.
 */
static __always_inline bool packet_decide(const struct endpoint *e, struct socket_state *s,
					  struct question *q, struct decision *d, struct record *r,
					  const struct config *c, const struct policy_config *p,
					  bool processless)
{
	struct flow_key k = {}, any = {};
	bool reported = false;

	verdict_for(q, d);
	/* unreadable, or a local destination that leaves by an uplink: never */
	if (d->by == BY_LOCAL && (r->layer == LAYER_TC || address_is_zero(&e->dst)))
		decided(d, VERDICT_DENY, BY_SHAPE);
	if (d->by == BY_LOCAL) {
		if (s && e->shape == SHAPE_OK)
			call_remember(s, q, d, p->generation, e);
		return true;
	}
	if (d->by != BY_PROOF && processless && made_by_kernel(e, c))
		return decided(d, VERDICT_ALLOW, BY_KERNEL);
	reported = processless && has_waited(e, c);
	flow_key_of(&k, e);
	if (e->shape == SHAPE_OK) {
		admit_existing(d, &k, s, q, r, p);
		admit_continued(d, &k, e, p, s, (__u16)q->scope, processless);
	}
	if (e->shape != SHAPE_OK || (d->verdict == VERDICT_ALLOW && !source_is_ours(e, s, q->scope, r, c)))
		decided(d, VERDICT_DENY, BY_SHAPE);
	if (s && e->shape == SHAPE_OK) {
		reported |= d->verdict != VERDICT_ALLOW && s->tried_port == e->dport &&
			    address_equal(&s->tried, &e->dst);
		call_remember(s, q, d, p->generation, e);
	}
	r->mid_stream = e->proto == IPPROTO_TCP && !(e->tcp_flags & TCP_SYN);
	flow_key_of_any(&any, e);
	if (q->other_netns && e->shape == SHAPE_OK)
		flow_is_new(&any, d, p, q->scope, s);
	/* the daemon's own questions to its upstream are no news */
	if (!reported && !(q->scope == SCOPE_DAEMON && d->by == BY_DAEMON && d->verdict == VERDICT_ALLOW) &&
	    flow_is_new(&k, d, p, q->scope, s) && !(r->forwarded && flow_is_told(&any, d, p, s)))
		flow_emit(e, d, s, r);
	if (d->verdict != VERDICT_ALLOW)
		count(r->layer == LAYER_TC ? COUNTER_TC_DENIED : COUNTER_EGRESS_DENIED);
	return passes(c, d->verdict, d->by);
}

/*
 * remembered() without parsing: a plain IPv4 or IPv6 header, TCP or UDP, of which every byte that
 * is asked is linear. Anything else takes the long way. `payload`: the bytes behind those headers,
 * which the kernel has made.
 */
static __always_inline bool remembered_plainly(struct __sk_buff *skb, const struct socket_state *s,
					       __u32 generation, __s32 *payload)
{
	const __u8 *data = (const __u8 *)(long)skb->data, *end = (const __u8 *)(long)skb->data_end;
	const __u32 *peer = (const __u32 *)s->peer.b, *from = (const __u32 *)s->from.b;
	const __u32 *at;
	__u8 proto = s->peer_proto;

	if (s->generation != generation || (proto != IPPROTO_TCP && proto != IPPROTO_UDP))
		return false;
	if (address_is_v4(&s->peer)) {
		if (data + IPV4_UDP > end || data[0] != 0x45 || data[9] != proto ||
		    (*(const __u16 *)(data + 6) & bpf_htons(0x3fff)))
			return false;
		*payload = (__s32)skb->len - IPV4_UDP;
		if (proto == IPPROTO_TCP) {
			if (data + 33 > end)
				return false;
			*payload = (__s32)skb->len - 20 - (data[32] >> 4) * 4;
		}
		return *(const __u32 *)(data + 12) == from[3] && *(const __u32 *)(data + 16) == peer[3] &&
		       *(const __u16 *)(data + 22) == bpf_htons(s->peer_port);
	}
	if (data + IPV6_UDP > end || data[0] >> 4 != 6 || data[6] != proto)
		return false;
	*payload = (__s32)skb->len - IPV6_UDP;
	if (proto == IPPROTO_TCP) {
		if (data + 53 > end)
			return false;
		*payload = (__s32)skb->len - 40 - (data[52] >> 4) * 4;
	}
	at = (const __u32 *)(data + 8);
	return at[0] == from[0] && at[1] == from[1] && at[2] == from[2] && at[3] == from[3] &&
	       at[4] == peer[0] && at[5] == peer[1] && at[6] == peer[2] && at[7] == peer[3] &&
	       *(const __u16 *)(data + 42) == bpf_htons(s->peer_port);
}

/* A copy of a socket's head: read whole from its start, for the verifier lets nobody count from a socket. */
static __always_inline struct sock *sock_read(struct bpf_sock *sk)
{
	return (struct sock *)sock_head_of(sk);
}

/* A socket of the internet's families that the kernel has made for itself: its ICMP, its resets. */
static __always_inline bool is_own_of_kernel(struct bpf_sock *sk)
{
	struct sock *copy;

	if (sk->family != AF_INET && sk->family != AF_INET6)
		return false;
	copy = sock_read(sk);
	return copy && BPF_CORE_READ_BITFIELD(copy, sk_kern_sock);
}

/*
 * Notes that the packets of a socket of the machine's own network namespace are counted here: what other
 * namespaces send may be no traffic of the machine's at all, and is counted where it leaves.
 */
static __always_inline void count_here(struct __sk_buff *skb, struct socket_state *s, const struct config *c)
{
	struct bpf_sock *sk = skb->sk;

	if (!s->netns && sk) { /* older than us */
		struct sock *copy;
		struct net *net;

		sk = bpf_sk_fullsock(sk);
		copy = sk ? sock_read(sk) : 0;
		if (!copy)
			return;
		net = copy->__sk_common.skc_net.net;
		s->netns = BPF_CORE_READ(net, net_cookie);
	}
	s->counted = s->netns == c->host_netns;
}

/* Whether a packet was made on this machine, and no process's socket made it. */
static __always_inline bool is_processless(struct __sk_buff *skb, const struct socket_state *s)
{
	struct bpf_sock *sk = skb->sk;

	if (skb->ingress_ifindex || (s && s->known))
		return false;
	if (!sk)
		return true;
	sk = bpf_sk_fullsock(sk);
	return !sk || is_own_of_kernel(sk);
}

/* A packet that takes the long way. `admitted`: its socket remembers an admission. */
static __noinline int packet_judge_parsed(struct __sk_buff *skb, const struct config *c,
					  const struct policy_config *p, struct socket_state *s,
					  bool admitted)
{
	struct record r = {.layer = LAYER_EGRESS};
	struct endpoint e = {};
	struct question q = {};
	struct decision d = {};

	endpoint_from_packet(&e, skb, 0);
	if (admitted && e.shape == SHAPE_OK && remembered(s, &e, p->generation)) {
		if (s->counted)
			traffic_note_remembered(&e, s);
		return 1;
	}
	if (s && s->known && e.shape == SHAPE_OK && to_proxy(&e, c)) {
		owner_publish(&e, s, c);
		return 1;
	}
	if (c->mode == MODE_NOTING) {
		if (s && e.shape == SHAPE_OK) {
			s->existing = 1;
			s->noted = e.dst;
			s->noted_port = e.dport;
		}
		return 1;
	}
	q.dst = e.dst;
	q.port = e.dport;
	q.proto = e.proto;
	q.scope = s && s->known ? s->scope : SCOPE_EVERYONE;
	q.other_netns = s && s->known && s->netns != c->host_netns;
	if (!packet_decide(&e, s, &q, &d, &r, c, p, is_processless(skb, s)))
		return 0;
	if (s)
		count_here(skb, s, c);
	if (s && s->counted)
		traffic_note(&e, s, &d, ORIGIN_UNKNOWN);
	return 1;
}

static __always_inline int packet_judge_socket(struct __sk_buff *skb)
{
	const struct config *c = config_get();
	const struct policy_config *p = policy_get();
	struct socket_state *s;
	bool raw = false, admitted;
	__s32 payload = 0;

	if (!c || !p)
		return 1;
	s = packet_socket(skb, true, &raw);
	/* only an admission is remembered: a refusal ends with the grant that comes later */
	admitted = s && s->verdict == VERDICT_ALLOW && c->mode != MODE_NOTING && !raw;
	if (admitted && remembered_plainly(skb, s, p->generation, &payload)) {
		traffic_gather(s, payload);
		return 1;
	}
	return packet_judge_parsed(skb, c, p, s, admitted);
}

/* The packet of an interface without a header below IP says itself what it is. */
static __always_inline int packet_network(struct __sk_buff *skb, __u16 *ethertype)
{
	__u8 version = 0;

	bpf_skb_load_bytes(skb, 0, &version, 1);
	*ethertype = version >> 4 == 4	 ? ETH_P_IP
		     : version >> 4 == 6 ? ETH_P_IPV6
					 : bpf_ntohs((__u16)skb->protocol);
	return (version >> 4 == 4 || version >> 4 == 6) && !skb->vlan_present ? 0 : -1;
}

static __always_inline bool link_is(__u32 ifindex, __u32 flag)
{
	const __u32 *flags = bpf_map_lookup_elem(&uplinks, &ifindex);

	return flags && (*flags & flag);
}

/* The network header behind Ethernet and at most two VLAN tags, of which the device may still have to
 * add the first; negative: none we know. */
static __always_inline int frame_network(struct __sk_buff *skb, __u16 *ethertype)
{
	__u16 type = 0;
	int at = 12, i;

	if (link_is(skb->ifindex, LINK_PLAIN))
		return packet_network(skb, ethertype);
	for (i = skb->vlan_present ? 1 : 0; i < 3; i++) {
		if (bpf_skb_load_bytes(skb, (__u32)at, &type, 2))
			return -1;
		*ethertype = bpf_ntohs(type);
		if (*ethertype != ETH_P_8021Q && *ethertype != ETH_P_8021AD)
			return at + 2;
		at += 4;
	}
	return -1;
}

/* A frame that is not IP: refused, one record for each EtherType and interface. */
static __always_inline int frame_refuse(struct record *r, const struct config *c,
					const struct policy_config *p)
{
	struct decision d = {.by = BY_NOT_IP};
	struct endpoint e = {.sport = r->ethertype, .dport = (__u16)r->ifindex, .proto = 255};
	struct flow_key k = {};

	count(COUNTER_TC_DENIED);
	flow_key_of(&k, &e);
	if (flow_is_new(&k, &d, p, SCOPE_EVERYONE, 0))
		flow_emit(&e, &d, 0, r);
	return passes(c, VERDICT_DENY, BY_NOT_IP) ? TCX_NEXT_PROGRAM : TCX_DROP_FRAME;
}

/*
 * ARP for Ethernet and IPv4 (RFC 826) with nothing behind it, from an own address or a probe's 0: a
 * reply, or a request that does not say what it asks for.
 */
static __always_inline bool frame_is_own_arp(struct __sk_buff *skb, __u32 at)
{
	static const __u8 ethernet_ipv4[] = {0, 1, 8, 0, 6, 4, 0};
	struct local_key k = {.prefixlen = 128};
	const struct local_value *v;
	__u8 arp[28];
	__u32 sender;
	int i;

	if (skb->len != at + sizeof(arp) || bpf_skb_load_bytes(skb, at, arp, sizeof(arp)))
		return false;
	for (i = 0; i < (int)sizeof(ethernet_ipv4); i++)
		if (arp[i] != ethernet_ipv4[i])
			return false;
	if (arp[7] != ARP_REQUEST && arp[7] != ARP_REPLY)
		return false;
	for (i = 18; i < 24; i++)
		if (arp[7] == ARP_REQUEST && arp[i] != arp[18])
			return false;
	if (arp[7] == ARP_REQUEST && arp[18] && arp[18] != 0xff)
		return false;
	__builtin_memcpy(&sender, arp + 14, 4);
	if (!sender)
		return true;
	address_from_v4(&k.addr, sender);
	v = bpf_map_lookup_elem(&locals, &k);
	return v && (v->flags & LOCAL_OWN);
}

#define HEAD_LIFE_NS 30000000000ULL /* as long as a receiver waits for the rest */

static __always_inline void head_key_of(struct head_key *k, const struct endpoint *e)
{
	k->src = e->src;
	k->dst = e->dst;
	k->id = e->id;
	k->proto = e->proto;
}

/* The rest of a datagram follows its head: a fragment alone says nothing of its port. */
static __always_inline void head_passed(const struct endpoint *e, const struct decision *d)
{
	struct head_key k = {};
	struct head_value v = {.passed_ns = bpf_ktime_get_ns(), .port = e->dport};

	v.rule = d->rule;
	v.name = d->name;
	v.verdict = d->verdict;
	v.by = d->by;
	head_key_of(&k, e);
	bpf_map_update_elem(&heads, &k, &v, BPF_ANY);
}

/* Whether the head has passed; the port and the decision are its. */
static __always_inline bool has_head(struct endpoint *e, struct decision *d)
{
	struct head_key k = {};
	const struct head_value *v;

	head_key_of(&k, e);
	v = bpf_map_lookup_elem(&heads, &k);
	if (!v || bpf_ktime_get_ns() - v->passed_ns >= HEAD_LIFE_NS)
		return false;
	e->dport = v->port;
	d->rule = v->rule;
	d->name = v->name;
	decided(d, v->verdict, v->by);
	return true;
}

/* Who a frame is of when no call of its socket was seen: born before us, or outside our cgroup. */
static __always_inline __u32 frame_scope(__u64 cgroup, const struct config *c)
{
	struct cgroup_key k = {.id = cgroup};
	const struct cgroup_value *v;

	if (c->daemon_cgroup && cgroup == c->daemon_cgroup)
		return SCOPE_DAEMON;
	v = cgroup ? bpf_map_lookup_elem(&cgroups, &k) : 0;
	return v ? v->scope : SCOPE_EVERYONE;
}

/* The rest of a datagram whose head was judged; of a raw socket, the rest of a ping. */
static __always_inline bool is_rest_of_judged(const struct socket_state *s, const struct endpoint *e,
					      __u32 generation, bool raw)
{
	return s->by != BY_LOCAL && s->generation == generation && s->peer_proto == e->proto &&
	       address_equal(&s->peer, &e->dst) &&
	       (!raw || e->proto == IPPROTO_ICMP || e->proto == IPPROTO_ICMPV6);
}

/* The verdict its socket remembers of a frame, whose port then is the peer's; false: none. */
static __always_inline bool frame_remembered(struct endpoint *e, const struct socket_state *s,
					     __u32 generation, bool raw, struct decision *d)
{
	bool is_rest = e->shape == SHAPE_FRAGMENT && s && is_rest_of_judged(s, e, generation, raw);

	if (!is_rest && (raw || e->shape != SHAPE_OK || !remembered(s, e, generation) || s->by == BY_LOCAL))
		return false;
	e->dport = s->peer_port;
	d->rule = s->rule;
	d->name = s->name;
	decided(d, s->verdict, s->by);
	return true;
}

/* Counts a frame that passes, unless that is done elsewhere. */
static __always_inline void frame_count(const struct endpoint *e, const struct socket_state *s,
					const struct decision *d, const struct record *r, bool is_daemon)
{
	__u32 origin = is_daemon ? ORIGIN_DAEMON : r->forwarded ? ORIGIN_CONTAINER : ORIGIN_UNKNOWN;

	if ((s && s->counted) || link_is(r->ifindex, LINK_STACKED))
		return;
	traffic_note(e, s, d, origin);
}

static __always_inline int packet_judge_frame(struct __sk_buff *skb)
{
	const struct config *c = config_get();
	const struct policy_config *p = policy_get();
	struct record r = {.layer = LAYER_TC, .ifindex = skb->ifindex, .forwarded = !!skb->ingress_ifindex};
	struct endpoint e = {};
	struct question q = {};
	struct decision d = {};
	struct socket_state *s;
	bool raw = false;
	int at;

	if (!c || !p)
		return TCX_NEXT_PROGRAM;
	count(COUNTER_TC_SEEN);
	at = frame_network(skb, &r.ethertype);
	if (at > 0 && r.ethertype == ETH_P_ARP && frame_is_own_arp(skb, (__u32)at))
		return TCX_NEXT_PROGRAM;
	if (at < 0 || (r.ethertype != ETH_P_IP && r.ethertype != ETH_P_IPV6))
		return c->mode == MODE_NOTING ? TCX_NEXT_PROGRAM : frame_refuse(&r, c, p);
	endpoint_from_packet(&e, skb, (__u32)at);
	if ((r.ethertype == ETH_P_IP) != address_is_v4(&e.dst))
		e.shape = SHAPE_BAD;
	r.ethertype = 0;
	s = packet_socket(skb, false, &raw);
	if (frame_remembered(&e, s, p->generation, raw, &d)) {
		if (!passes(c, d.verdict, d.by))
			return TCX_DROP_FRAME;
		if (c->mode != MODE_NOTING)
			frame_count(&e, s, &d, &r, false);
		return TCX_NEXT_PROGRAM;
	}
	q.dst = e.dst;
	q.port = e.dport;
	q.proto = e.proto;
	q.scope = s && s->known ? s->scope : frame_scope(bpf_skb_cgroup_id(skb), c);
	if (proof_number(&e.dst))
		count(COUNTER_TC_PROOF);
	if (c->mode == MODE_NOTING) {
		struct flow_key k = {};
		struct flow_value v = {.last_ns = bpf_ktime_get_ns(), .by = BY_EXISTING};

		flow_key_of(&k, &e);
		/* what the kernel makes of itself is no flow of anybody's */
		if (!s && e.shape == SHAPE_OK &&
		    !(is_processless(skb, s) && (is_housekeeping(&e) || is_answer(&e))))
			bpf_map_update_elem(&existing, &k, &v, BPF_NOEXIST);
		return TCX_NEXT_PROGRAM;
	}
	if (!(e.shape == SHAPE_FRAGMENT && has_head(&e, &d))) {
		if (!packet_decide(&e, s, &q, &d, &r, c, p, is_processless(skb, s)))
			return TCX_DROP_FRAME;
		if (e.head)
			head_passed(&e, &d);
	}
	frame_count(&e, s, &d, &r, q.scope == SCOPE_DAEMON);
	return TCX_NEXT_PROGRAM;
}

#endif /* CARGOWALL_PACKET_BPF_H */
