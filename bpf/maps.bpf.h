/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Every map of the programs. Each header: key, value, who writes, why this size, when full.
 *
 * What no program writes is BPF_F_RDONLY_PROG: a stranger's can't either. What user space need not write
 * once the wall stands is frozen then (bpf/loader/maps.c); of the rest the loader knows what is its own.
 */
#ifndef CARGOWALL_MAPS_BPF_H
#define CARGOWALL_MAPS_BPF_H

#include "abi.h"
#include "kernel.h"

/* What one socket remembers: who uses it, what it asked for, the verdict on its last peer. */
struct socket_state {
	struct address asked; /* the address a steered call meant */
	struct address peer; /* of the cached verdict */
	struct address tried; /* destination already reported by connect or sendmsg */
	struct address noted; /* the last peer before the flip */
	struct address from; /* the source the cached verdict was made for; zero at a call */
	unsigned long long cgroup;
	unsigned long long netns;
	unsigned long long cookie;
	unsigned long long untold; /* bytes sent to `peer` that the traffic map has not got */
	unsigned long long start_ns;
	unsigned int pid;
	unsigned int uid;
	unsigned int generation; /* of the cached verdict, 0 = none */
	unsigned int rule;
	unsigned int name;
	unsigned int execs; /* with pid and start_ns: struct identity_key */
	unsigned short asked_port; /* 0 = not steered */
	unsigned short peer_port;
	unsigned short tried_port;
	unsigned short noted_port;
	unsigned short scope;
	unsigned char peer_proto;
	unsigned char verdict;
	unsigned char by;
	unsigned char origin;
	unsigned char existing; /* seen sending before the flip, to `noted` */
	unsigned char known; /* the owner fields are filled */
	unsigned char counted; /* its bytes are counted by the cgroup layer, not at the wall */
	unsigned char late; /* made after the flip: no flow open before is its */
	unsigned char released; /* nobody holds it any more; what it sends is told at once */
	char comm[COMM_SIZE];
};

/* A datagram in several packets (RFC 791 3.2, RFC 8200 4.5). */
struct head_key {
	struct address src;
	struct address dst;
	unsigned int id;
	unsigned char proto;
	unsigned char pad[3];
};

/* What was decided of its head. */
struct head_value {
	unsigned long long passed_ns; /* CLOCK_MONOTONIC */
	unsigned int rule;
	unsigned int name;
	unsigned short port;
	unsigned char verdict;
	unsigned char by;
	unsigned char pad[4];
};

/* What is refused to one process: its repeats are counted here once they are many. */
struct repeat_key {
	struct address dst;
	struct identity_key who;
	unsigned short port;
	unsigned char proto;
	unsigned char by;
	unsigned char layer;
	unsigned char pad[3];
};
_Static_assert(sizeof(struct repeat_key) == 40, "repeat_key has no hole");

struct repeat_value {
	unsigned long long since_ns; /* start of the current second */
	unsigned long long last_ns; /* of the latest refusal that is held */
	unsigned int told; /* events of the current second */
	unsigned int held; /* refusals no event speaks of yet */
	unsigned int beyond; /* of destinations that have no entry of their own */
	unsigned int pad;
	struct event sample; /* the first refusal; version 0: not filled yet */
};

/* key 0; value struct config; written by the loader; one word flips the mode; never full */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* key 0; value u64, the last sign of the daemon's life, CLOCK_MONOTONIC; written by the loader */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, __u64);
} heartbeat SEC(".maps");

/* key 0; value struct daemon_value; the loader, each time it starts one; never full */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct daemon_value);
} daemons SEC(".maps");

/* key 0; value struct policy_config; written by the daemon through the loader; never full */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct policy_config);
} policy SEC(".maps");

/* key struct rule_key; value struct rule_value; the daemon before the flip; the policy's limit;
 * a policy that does not fit is an error before the flip */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
	__type(key, struct rule_key);
	__type(value, struct rule_value);
} rules SEC(".maps");

/* key struct grant_key; value struct grant_value; the daemon for each answer; 50,000 names;
 * full: the grant is refused, counted and its answer is SERVFAIL */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
	__type(key, struct grant_key);
	__type(value, struct grant_value);
} grants SEC(".maps");

/* key the number of an interface that leads off the machine; value bits of LINK_*; the loader before its
 * wall; as many as have a wall; full: its packets are not IP or not the kernel's, and refused (fails closed) */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, __u32);
} uplinks SEC(".maps");

/* key struct local_key; value struct local_value; the loader from netlink; a machine with a
 * thousand bridges; full: the prefix counts as leaving the machine (fails closed) */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
	__type(key, struct local_key);
	__type(value, struct local_value);
} locals SEC(".maps");

/* key struct resolver_key; value 1; the daemon before the flip; resolver configurations are
 * short; full: an error before the flip */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, struct resolver_key);
	__type(value, __u32);
} resolvers SEC(".maps");

/* key struct process_key; value struct process_value; the loader at start, fork and exit after;
 * the kernel's default pid_max twice; full: counted, the child has everyone's rules (fails
 * closed) */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct process_key);
	__type(value, struct process_value);
} processes SEC(".maps");

/* key u32 thread group id; value struct identity; fork, exec and exit, and the first call of a process
 * older than us; the kernel's default pid_max twice; full: made at its first call instead, from the
 * parents the kernel has then; no room there either: its records have none, which the daemon counts */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct identity);
} identities SEC(".maps");

/* key struct identity_key; value struct identity; exec and exit, of what a record may still speak of;
 * 8,192 programs that ended; full: the least recently used goes, its records have none, which the
 * daemon counts */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct identity_key);
	__type(value, struct identity);
} former SEC(".maps");

/* key struct cgroup_key; value struct cgroup_value; the daemon before the flip; a handful of fixed
 * services, and of DHCP clients one for each interface; full: an error before the flip */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, struct cgroup_key);
	__type(value, struct cgroup_value);
} cgroups SEC(".maps");

/* key struct flow_key; value struct flow_value; the daemon before the flip; flows open at start;
 * full: counted, the flow is judged like a new one (fails closed) */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} existing SEC(".maps");

/* key struct flow_key; value struct flow_value; the packet hooks; flows seen without a socket
 * and datagram flows already reported; full: the least recently used goes and is judged anew */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} flows SEC(".maps");

/* key u64 cookie of a listening socket; value 1; the loader at start; services of a machine; full: a
 * service's answers are judged like anything else (fails closed) */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
	__type(key, __u64);
	__type(value, __u32);
} listeners SEC(".maps");

/* key struct head_key; value struct head_value; the wall; datagrams under way; full: the least
 * recently used goes, the rest of it is refused */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct head_key);
	__type(value, struct head_value);
} heads SEC(".maps");

/* key struct owner_key; value struct owner_value; egress_skb for packets to the proxy; open DNS
 * questions; full: the least recently used goes, its question is dropped and counted */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct owner_key);
	__type(value, struct owner_value);
} owners SEC(".maps");

/* key struct address, one the proxy listens on; value the first of its entries in dns_sockets: for
 * everybody, then for runner processes; the loader at start; as many as it can bind; never full */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, struct address);
	__type(value, __u32);
} dns_addresses SEC(".maps");

/* key as dns_addresses says; value a socket of the proxy's over UDP; the loader at start;
 * two an address, at their numbers among all of the proxy's sockets; never full */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 96);
	__type(key, __u32);
	__type(value, __u64);
} dns_sockets SEC(".maps");

/* key struct reply_key; value struct reply_value; the daemon for a question asked twice within a second;
 * full: the least recently used goes, and its question to the proxy */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, struct reply_key);
	__type(value, struct reply_value);
} replies SEC(".maps");

/* key 0; value struct reply_key per CPU; a question under way, which is too big for the stack; never full */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reply_key);
} reply_keys SEC(".maps");

/* key 0; value struct reply_value per CPU; its reply; never full */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reply_value);
} reply_copies SEC(".maps");

/* The packet a CPU was handed last: what the kernel answers there and then, it answers to it. */
struct arrival {
	unsigned long long netns; /* cookie */
	unsigned int ifindex;
	unsigned short neighbour; /* it says where a neighbour is: what has waited for that goes now */
	unsigned short rest; /* it may complete what somebody else has begun */
};

/* key 0; value struct arrival per CPU; each packet an interface hands up; never full */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct arrival);
} arrivals SEC(".maps");

/* The head of a struct sock, which the programs may read only whole. */
struct sock_head {
	unsigned char b[1024];
};

/* key 0; value struct sock_head per CPU; packets of types the kernel makes, steered calls; never full */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sock_head);
} sock_heads SEC(".maps");

/* key enum counter; value u64 per CPU; every program; never full */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTER_SIZE);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* key socket; value struct socket_state; the hooks of that socket; one a socket; out of memory:
 * counted, the packet is judged without it */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_state);
} sockets SEC(".maps");

/* key struct traffic_key; value struct traffic_value; the packet hooks, and what open sockets hold by
 * egress_traffic; 16,384 destinations; full: their bytes are counted together */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TRAFFIC_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct traffic_key);
	__type(value, struct traffic_value);
} traffic SEC(".maps");

/* struct event; written by the hooks, drained by the loader; 30,000 events; full: counted */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} events SEC(".maps");

/* key struct repeat_key; value struct repeat_value; the hooks for each refusal, egress_repeats tells
 * and forgets; 16,384 destinations refused within two seconds; full: each refusal is an event of its own */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct repeat_key);
	__type(value, struct repeat_value);
} repeats SEC(".maps");

/* How many destinations a process was newly refused at in the current second. */
struct spread_value {
	unsigned long long since_ns;
	unsigned int fresh;
	unsigned int pad;
};

/* key u32 thread group id; value struct spread_value; the hooks for each new entry of `repeats`; processes
 * refused at the same time; full: the least recently used goes and may have its number anew */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct spread_value);
} spreads SEC(".maps");

static __always_inline void count_more(__u32 counter, __u64 number)
{
	__u64 *slot = bpf_map_lookup_elem(&counters, &counter);

	if (slot)
		*slot += number;
}

static __always_inline void count(__u32 counter)
{
	count_more(counter, 1);
}

#endif /* CARGOWALL_MAPS_BPF_H */
