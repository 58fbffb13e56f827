/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Sockets of families whose traffic can pass every hook: packet and XDP sockets of the machine's own
 * network, and those of virtual machines' hosts. Where the kernel lets a program decide, the job gets none.
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

/* 0, or the error a new socket of a family is refused with. The runner, system services and we have ours. */
static __always_inline int family_judge(int family)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	const struct config *c = config_get();
	struct endpoint e = {.dport = (__u16)family, .proto = 255};
	struct record r = {.layer = LAYER_SOCKET, .ethertype = (__u16)family};
	struct decision d = {.by = BY_SOCKET};
	struct socket_state s = {};
	__u64 netns;

	if (!c || (family != AF_PACKET && family != AF_XDP && family != AF_VSOCK))
		return 0;
	netns = BPF_CORE_READ(task, nsproxy, net_ns, net_cookie);
	if (family != AF_VSOCK && netns != c->host_netns)
		return 0; /* its frames cross the machine's wall */
	owner_fill(&s, c, netns, 0);
	if ((s.origin != ORIGIN_JOB && s.origin != ORIGIN_CONTAINER) || !is_guarded(c))
		return 0;
	flow_emit(&e, &d, &s, &r);
	return passes(c, VERDICT_DENY, BY_SOCKET) ? 0 : -EPERM;
}

#endif /* CARGOWALL_FAMILY_BPF_H */
