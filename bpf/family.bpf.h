/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Sockets of families whose traffic can pass every hook: packet and XDP sockets of the machine's own
 * network, and those of virtual machines' hosts. Where the kernel lets a program decide, the job gets none.
 * RDMA devices are like them, and need no socket: on every kernel the job gets none.
 */
#ifndef CARGOWALL_FAMILY_BPF_H
#define CARGOWALL_FAMILY_BPF_H

#include "flow.bpf.h"
#include "owner.bpf.h"

#define CGROUP_DEPTH 32

/* Whether the current process is in the guarded cgroup or below it. */
static __always_inline bool is_guarded(const struct config *c)
{
	for (int level = 0; level < CGROUP_DEPTH; level++) {
		__u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id)
			break; /* below the process's own */
		if (id == c->guarded_cgroup)
			return true;
	}
	return false;
}

/* Options by which a packet socket's frames pass the queue and our filter there, and an XDP socket has rings. */
#define SOL_PACKET 263
#define PACKET_QDISC_BYPASS 20
#define SOL_XDP 283

/* The number of the kernel's own for RDMA's devices (include/rdma/ib_verbs.h: IB_UVERBS_MAJOR, IB_UMAD_MAJOR). */
#define RDMA_MAJOR 231

/* Whether a family's traffic crosses the wall when it comes from another network of the machine. */
static __always_inline bool crosses_wall(int family)
{
	return family != AF_VSOCK && family != AF_IB;
}

/*
 * Refuses the current process, with a record, what has to do with a family of sockets; false: it goes on. The
 * frames of other networks cross the machine's wall.
 */
static __noinline bool family_is_denied(int family, __u64 netns, __u8 layer, bool to_everyone)
{
	const struct config *c = config_get();
	struct endpoint e = {.dport = (__u16)family, .proto = 255};
	struct record r = {.layer = layer, .ethertype = (__u16)family};
	struct decision d = {.by = BY_SOCKET};
	struct socket_state s = {};

	if (!c || (crosses_wall(family) && netns != c->host_netns))
		return false;
	owner_fill(&s, c, netns, 0);
	if (!to_everyone && ((s.origin != ORIGIN_JOB && s.origin != ORIGIN_CONTAINER) || !is_guarded(c)))
		return false;
	flow_emit(&e, &d, &s, &r);
	return !passes(c, VERDICT_DENY, BY_SOCKET);
}

static __always_inline __u64 current_netns(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, nsproxy, net_ns, net_cookie);
}

static __always_inline bool is_unguarded(int family)
{
	return family == AF_PACKET || family == AF_XDP || family == AF_VSOCK;
}

/* 0, or the error a new socket is refused with. The runner and system services have theirs, as a lease needs. */
static __always_inline int family_judge(int family)
{
	return is_unguarded(family) && family_is_denied(family, current_netns(), LAYER_SOCKET, false) ? -EPERM
												      : 0;
}

/* What family_judge() refuses elsewhere, where the kernel lets nobody refuse it: a record. */
static __always_inline int family_notice(int family)
{
	if (is_unguarded(family))
		family_is_denied(family, current_netns(), LAYER_SYSCALL, false);
	return 0;
}

/*
 * 0: the option is refused, to whoever asks: no lease needs it. The kernel asks for the calls of 64-bit programs
 * only. An option's length of 0 is the caller's own value, however long (Documentation/bpf/prog_cgroup_sockopt.rst).
 */
static __always_inline int option_judge(struct bpf_sockopt *o)
{
	int family = o->level == SOL_XDP ? AF_XDP : AF_PACKET;
	bool is_ours = o->level == SOL_XDP || (o->level == SOL_PACKET && o->optname == PACKET_QDISC_BYPASS);

	o->optlen = 0;
	if (!is_ours || !o->sk || o->sk->family != (__u32)family)
		return 1;
	return !family_is_denied(family, bpf_get_netns_cookie(o), LAYER_SOCKET, true);
}

/* 0: the device is not opened. What is written to RDMA's queues the adapter sends by itself, whoever asks it. */
static __always_inline int device_judge(struct bpf_cgroup_dev_ctx *d)
{
	__u16 type = (__u16)d->access_type, access = d->access_type >> 16;

	if (type != BPF_DEVCG_DEV_CHAR || d->major != RDMA_MAJOR ||
	    !(access & (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)))
		return 1;
	return !family_is_denied(AF_IB, current_netns(), LAYER_SOCKET, false);
}

#endif /* CARGOWALL_FAMILY_BPF_H */
