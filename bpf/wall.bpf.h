/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Judging frames at the wall: what leaves by an uplink, whoever made it. */
#ifndef CARGOWALL_WALL_BPF_H
#define CARGOWALL_WALL_BPF_H

#include "inbound.bpf.h"
#include "packet.bpf.h"

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
static __noinline int frame_refuse(struct record *r, const struct config *c, const struct policy_config *p)
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
static __noinline bool frame_is_own_arp(struct __sk_buff *skb, __u32 at)
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
static __noinline int head_passed(const struct endpoint *e, const struct decision *d)
{
	struct head_key k = {};
	struct head_value v = {.passed_ns = bpf_ktime_get_ns(), .port = e->dport};

	v.rule = d->rule;
	v.name = d->name;
	v.verdict = d->verdict;
	v.by = d->by;
	head_key_of(&k, e);
	return bpf_map_update_elem(&heads, &k, &v, BPF_ANY);
}

/* Whether the head has passed; the port and the decision are its. */
static __noinline bool has_head(struct endpoint *e, struct decision *d)
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

/* The verdict its socket remembers of a frame, whose port then is the peer's; false: none. Where a socket
 * of another namespace sends from is judged here alone. */
static __always_inline bool frame_remembered(struct endpoint *e, const struct socket_state *s,
					     const struct config *c, __u32 generation, bool raw,
					     struct decision *d)
{
	bool is_rest = e->shape == SHAPE_FRAGMENT && s && is_rest_of_judged(s, e, generation, raw);

	/* a connection from outside is answered: its socket begins none */
	if (s && s->by == BY_INBOUND && (e->tcp_flags & TCP_SYN))
		return false;
	if (!is_rest && (raw || e->shape != SHAPE_OK || !remembered(s, e, generation) || s->by == BY_LOCAL))
		return false;
	if (s->netns != c->host_netns && !source_is_local(e))
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
	__u32 origin = is_daemon ? ORIGIN_DAEMON : origin_without_socket(r, d);

	if ((s && s->counted) || link_is(r->ifindex, LINK_STACKED))
		return;
	traffic_note(e, s, d, origin);
}

#define HEADERS_MAX 256 /* bytes of a frame: any chain of extensions that anybody sends, and the ports */

/* The bytes of a frame that no process can write to. */
static __always_inline __u32 frame_own_bytes(struct __sk_buff *skb)
{
	return (__u32)((void *)(long)skb->data_end - (void *)(long)skb->data);
}

/*
 * Copies headers into the buffer where they are still in pages: those of a packet socket's ring
 * (PACKET_TX_RING) are its process's to write to until the device has sent them.
 */
static __always_inline void frame_take_headers(struct __sk_buff *skb)
{
	__u32 bytes = skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX;

	if (frame_own_bytes(skb) < bytes)
		bpf_skb_pull_data(skb, bytes);
}

/*
 * Whether the first `judged` bytes are sent as they are: they are in the buffer, and no checksum is still
 * to be written there. A packet socket says where its frame's is to be (PACKET_VNET_HDR).
 */
static __always_inline bool frame_is_final(struct __sk_buff *skb, __u32 judged)
{
	struct sk_buff *frame = (struct sk_buff *)skb;
	int at;

	if (judged > frame_own_bytes(skb))
		return false;
	if (BPF_CORE_READ_BITFIELD_PROBED(frame, ip_summed) != CHECKSUM_PARTIAL)
		return true;
	at = BPF_CORE_READ(frame, csum_start) - BPF_CORE_READ(frame, mac_header) +
	     BPF_CORE_READ(frame, csum_offset);
	return at >= (int)judged;
}

/* A flow that is open before the flip. */
static __noinline int flow_was_open(const struct endpoint *e)
{
	struct flow_key k = {};
	struct flow_value v = {.last_ns = bpf_ktime_get_ns(), .by = BY_EXISTING};

	flow_key_of(&k, e);
	return bpf_map_update_elem(&existing, &k, &v, BPF_NOEXIST);
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
	frame_take_headers(skb);
	at = frame_network(skb, &r.ethertype);
	if (at > 0 && r.ethertype == ETH_P_ARP && frame_is_own_arp(skb, (__u32)at) &&
	    frame_is_final(skb, skb->len))
		return TCX_NEXT_PROGRAM;
	if (at < 0 || (r.ethertype != ETH_P_IP && r.ethertype != ETH_P_IPV6))
		return c->mode == MODE_NOTING ? TCX_NEXT_PROGRAM : frame_refuse(&r, c, p);
	endpoint_from_packet(&e, skb, (__u32)at);
	if ((r.ethertype == ETH_P_IP) != address_is_v4(&e.dst))
		e.shape = SHAPE_BAD;
	r.ethertype = 0;
	s = packet_socket(skb, false, &raw);
	if (frame_remembered(&e, s, c, p->generation, raw, &d)) {
		if (!passes(c, d.verdict, d.by))
			return TCX_DROP_FRAME;
		if (c->mode != MODE_NOTING)
			frame_count(&e, s, &d, &r, false);
		return TCX_NEXT_PROGRAM;
	}
	if (!frame_is_final(skb, e.judged))
		e.shape = SHAPE_BAD;
	q.dst = e.dst;
	q.port = e.dport;
	q.proto = e.proto;
	q.scope = s && s->known ? s->scope : frame_scope(bpf_skb_cgroup_id(skb), c);
	if (proof_number(&e.dst))
		count(COUNTER_TC_PROOF);
	if (c->mode == MODE_NOTING) {
		/* what the kernel makes of itself is no flow of anybody's */
		if (!s && e.shape == SHAPE_OK &&
		    !(is_processless(skb, s) && (is_housekeeping(&e) || is_answer(&e))))
			flow_was_open(&e);
		return TCX_NEXT_PROGRAM;
	}
	if (!(e.shape == SHAPE_FRAGMENT && has_head(&e, &d))) {
		r.processless = is_processless(skb, s);
		r.inbound = inbound_admits(skb, &e, c, p);
		if (r.inbound && !s)
			s = inbound_socket(skb);
		if (!packet_decide(&e, s, &q, &d, &r))
			return TCX_DROP_FRAME;
		if (r.inbound)
			inbound_bind(skb, &e);
		if (e.head)
			head_passed(&e, &d);
	}
	frame_count(&e, s, &d, &r, q.scope == SCOPE_DAEMON);
	return TCX_NEXT_PROGRAM;
}

#endif /* CARGOWALL_WALL_BPF_H */
